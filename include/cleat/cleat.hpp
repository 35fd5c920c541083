// All of the library but its forms for Asio (cleat/asio.hpp).
#pragma once

#include "cleat/boot_clock.hpp"
#include "cleat/client.hpp"
#include "cleat/error.hpp"
#include "cleat/grant.hpp"
#include "cleat/hold.hpp"
#include "cleat/mutex.hpp"
#include "cleat/rank.hpp"
#include "cleat/striped.hpp"
#include "cleat/token_lock.hpp"
