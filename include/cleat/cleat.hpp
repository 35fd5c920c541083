// All of the library.
#pragma once

#include "cleat/boot_clock.hpp"
#include "cleat/client.hpp"
#include "cleat/error.hpp"
#include "cleat/hold.hpp"
#include "cleat/mutex.hpp"
