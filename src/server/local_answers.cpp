#include "server/local_answers.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "resp/command_reply.hpp"
#include "resp/connection_reply.hpp"
#include "resp/errors.hpp"
#include "resp/view_reply.hpp"
#include "resp/words.hpp"
#include "server/info.hpp"
#include "server/output_limits.hpp"
#include "server/password.hpp"

namespace cleat::server {

void LocalAnswers::answer(const resp::Request& request) {
  std::visit(*this, request.body);
}

const lock::Machine& LocalAnswers::machine() const {
  return service_.replica_->machine();
}

void LocalAnswers::operator()(const resp::Refusal& r) {
  writer_.error(r.line);
}

bool LocalAnswers::log_in(std::string_view user, std::string_view password) {
  if (service_.password_.empty()) {
    writer_.error(resp::kNoPasswordError);
    return false;
  }
  if (user != "default" || !same_secret(password, service_.password_)) {
    spdlog::warn("connection {} ({}) gave a wrong user or password", c_.ref.connection, c_.peer);
    writer_.error(resp::kWrongPassError);
    return false;
  }
  c_.authenticated = true;
  return true;
}

void LocalAnswers::operator()(const resp::Hello& hello) {
  if (hello.has_auth && !log_in(hello.user, hello.password)) return;
  if (!c_.authenticated) {
    writer_.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
        "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
        "the same time");
    return;
  }
  if (hello.client_name) c_.name = *hello.client_name;
  if (hello.protocol) c_.protocol = *hello.protocol;
  if (!c_.resp3()) service_.events_.unwatch(c_);  // RESP2 has no pushes
  auto writer = c_.writer();
  resp::write_hello(writer, c_.ref.connection);
}

void LocalAnswers::operator()(const resp::Auth& auth) {
  if (log_in(auth.user, auth.password)) writer_.ok();
}

void LocalAnswers::operator()(const resp::Ping& ping) {
  resp::write_pong(writer_, c_.subscriptions() > 0, ping.message.value_or(""), ping.message.has_value());
}

void LocalAnswers::operator()(const resp::Echo& echo) {
  writer_.bulk(echo.message);
}

void LocalAnswers::operator()(const resp::Quit&) {
  writer_.ok();
  c_.closing = c_.clean_end = true;
}

void LocalAnswers::operator()(const resp::Reset&) {
  if (!service_.end_implicit_session(c_)) service_.stop_speaking(c_, Speaks::kNone);
  service_.events_.forget(c_);
  c_.name.clear();
  c_.protocol = resp::Protocol::kResp2;
  c_.authenticated = service_.password_.empty();
  writer_.simple("RESET");
}

void LocalAnswers::operator()(const resp::JustOk&) {
  writer_.ok();
}
void LocalAnswers::operator()(const resp::TimeQuery&) {
  resp::write_time(writer_, service_.clock_.wall_ms() * 1000);
}
void LocalAnswers::operator()(const resp::ClientId&) {
  writer_.integer(static_cast<int64_t>(c_.ref.connection));
}

void LocalAnswers::operator()(const resp::ClientGetName&) {
  c_.name.empty() ? writer_.nil() : writer_.bulk(c_.name);
}

void LocalAnswers::append_line(std::string& out, const Connection& c) const {
  resp::ClientLine line;
  line.id = c.ref.connection;
  line.address = c.peer;
  line.local_address = c.local;
  line.fd = c.fd;
  line.name = c.name;
  line.age_s = (service_.now_us_ - c.opened_us) / 1'000'000;
  line.idle_s = (service_.now_us_ - c.heard_us) / 1'000'000;
  line.waiting = c.waiting;
  line.subscribed = c.subscriptions() > 0;
  line.watching = c.watching && c.watching->events;
  line.subscriptions = c.watching ? c.watching->channels.size() : 0;
  line.patterns = c.watching ? c.watching->patterns.size() : 0;
  line.input_bytes = c.input.unread().size();
  line.output_bytes = c.unsent();
  line.memory_bytes = sizeof c + c.input.capacity() + c.out.capacity();
  line.command = c.last_command;
  line.lib_name = c.library;
  line.lib_version = c.library_version;
  line.protocol = c.protocol;
  line.session = c.session;
  resp::append_client_line(out, line);
}

void LocalAnswers::operator()(const resp::ClientInfoQuery&) {
  std::string text;
  append_line(text, c_);
  writer_.verbatim(text);
}

void LocalAnswers::operator()(const resp::ClientSetName& set) {
  c_.name = set.name;
  writer_.ok();
}

void LocalAnswers::operator()(const resp::ClientSetInfo& set) {
  (set.version ? c_.library_version : c_.library) = set.value;
  writer_.ok();
}

void LocalAnswers::operator()(const resp::ClientList& list) {
  std::vector<uint64_t> ids = list.ids;
  if (ids.empty()) {
    for (const auto& [id, connection] : service_.connections_) ids.push_back(id);
    std::sort(ids.begin(), ids.end());
  }
  std::string text;
  for (const uint64_t id : ids) {
    const Connection* c = service_.find(id);
    if (c && !c->gone) append_line(text, *c);
  }
  writer_.verbatim(text);
}

bool LocalAnswers::kill_matches(const Connection& c, const resp::ClientKill& kill) const {
  if (c.gone || (kill.skip_me && &c == &c_)) return false;
  if (kill.id && *kill.id != c.ref.connection) return false;
  if (!kill.address.empty() && kill.address != c.peer) return false;
  return kill.local_address.empty() || kill.local_address == c.local;
}

void LocalAnswers::operator()(const resp::ClientKill& kill) {
  int64_t killed = 0;
  for (const auto& [id, connection] : service_.connections_) {
    if (!kill_matches(*connection, kill)) continue;
    ++killed;
    ++service_.metrics_.connections_killed;
    if (connection.get() == &c_) {
      c_.closing = true;  // after its answer
    } else {
      service_.close(*connection, false);
    }
  }
  if (!kill.old_form) {
    writer_.integer(killed);
  } else {
    killed > 0 ? writer_.ok() : writer_.error("ERR No such client");
  }
}

void LocalAnswers::operator()(const resp::CommandQuery& query) {
  resp::write_command_query(writer_, query);
}
void LocalAnswers::operator()(const resp::HelpQuery& query) {
  resp::write_help(writer_, query);
}

void LocalAnswers::operator()(const resp::ConfigGet& get) {
  std::vector<std::pair<std::string, std::string>> found;
  const auto consider = [&](std::string_view name, const std::string& value) {
    for (const std::string_view pattern : get.patterns) {
      if (!resp::glob_match(resp::lower_copy(pattern), name)) continue;
      found.emplace_back(name, value);
      return;
    }
  };
  for (const Setting& row : settings_table()) consider(row.name, shown_value(row, service_.config_));
  // What Redis' tools ask for when they connect.
  consider("save", "");
  consider("appendonly", "yes");
  resp::write_config(writer_, found);
}

void LocalAnswers::operator()(const resp::ConfigSet& set) {
  Config changed = service_.config_;
  for (size_t i = 0; i + 1 < set.pairs.size(); i += 2) {
    const std::string name = resp::lower_copy(set.pairs[i]);
    const Setting* row = find_setting(name);
    if (!row) {
      return writer_.error(fmt::format("ERR there is no setting '{}': CONFIG GET * lists them", resp::printable(name)));
    }
    if (!row->while_running) {
      return writer_.error(fmt::format(
          "ERR {} cannot change while the node runs: change it in its file, variable or flag and restart", row->name));
    }
    if (const auto status = set_value(*row, set.pairs[i + 1], changed); !status.ok()) {
      return writer_.error(fmt::format("ERR {}: {}", row->name, resp::printable(status.message())));
    }
  }
  auto status = check_config(changed);
  if (status.ok() && service_.around_.set_log_level) status = service_.around_.set_log_level(changed.log_level);
  if (!status.ok()) return writer_.error("ERR " + status.message());
  service_.config_ = changed;
  writer_.ok();
}

void LocalAnswers::operator()(const resp::InfoQuery& query) {
  const InfoSource source = {service_.config_,
                             service_.metrics_,
                             *service_.replica_,
                             service_.connections_.size(),
                             service_.input_pool_.bytes_kept(),
                             service_.total_unsent_,
                             (service_.now_us_ - service_.started_us_) / 1'000'000};
  writer_.verbatim(info_text(source, query.sections));
}

void LocalAnswers::operator()(const resp::Subscribe& request) {
  const auto limit = static_cast<size_t>(service_.config_.max_subscriptions);
  if (!service_.events_.subscribe(c_, request.pattern, request.channels, limit)) writer_.error(kSubscriptionsError);
}

void LocalAnswers::operator()(const resp::Unsubscribe& request) {
  service_.events_.unsubscribe(c_, request.pattern, request.channels);
}

void LocalAnswers::operator()(const resp::EventsFrom& request) {
  const base::Revision now = machine().revision();
  resp::write_events_started(writer_, service_.events_.incarnation(), now);
  service_.events_.watch(c_, request.prefix, request.from.value_or(now));
}

void LocalAnswers::operator()(const resp::NoEvents&) {
  service_.events_.unwatch(c_);
  writer_.ok();
}

void LocalAnswers::operator()(const resp::SessionShow& request) {
  const base::SessionId id = request.id ? request.id : c_.session;
  if (!id) return writer_.error(c_.speaks == Speaks::kLost ? resp::kNoSessionError : kNoOwnSessionError);
  resp::write_session(writer_, machine().session(id));
}

void LocalAnswers::operator()(const resp::SessionList& request) {
  resp::write_sessions(writer_, machine().sessions(request.after, request.count));
}

void LocalAnswers::operator()(const resp::Check& request) {
  writer_.integer(machine().check(request.name, request.fence) ? 1 : 0);
}

void LocalAnswers::operator()(const resp::Show& request) {
  resp::write_show(writer_, request.name, machine().show(request.name, request.page), request.local);
}

void LocalAnswers::operator()(const resp::Locks& request) {
  resp::write_locks(writer_, machine().locks(request.prefix, request.state, request.cursor, request.count),
                    request.local);
}

void LocalAnswers::operator()(const resp::History& request) {
  resp::write_history(writer_, machine().history(request.name, request.count));
}

}  // namespace cleat::server
