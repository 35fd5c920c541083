// Requests that need neither the log nor a proof: they are answered at once, when all before them are.
#pragma once

#include "resp/request.hpp"
#include "server/service.hpp"

namespace cleat::server {

class LocalAnswers {
 public:
  LocalAnswers(Service& service, Connection& connection)
      : service_(service), c_(connection), writer_(connection.writer()) {}
  void answer(const resp::Request&);

  void operator()(const resp::Refusal&);
  void operator()(const resp::Hello&);
  void operator()(const resp::Auth&);
  void operator()(const resp::Ping&);
  void operator()(const resp::Echo&);
  void operator()(const resp::Quit&);
  void operator()(const resp::Reset&);
  void operator()(const resp::JustOk&);
  void operator()(const resp::TimeQuery&);
  void operator()(const resp::ClientId&);
  void operator()(const resp::ClientGetName&);
  void operator()(const resp::ClientInfoQuery&);
  void operator()(const resp::ClientSetName&);
  void operator()(const resp::ClientSetInfo&);
  void operator()(const resp::ClientList&);
  void operator()(const resp::ClientKill&);
  void operator()(const resp::CommandQuery&);
  void operator()(const resp::HelpQuery&);
  void operator()(const resp::ConfigGet&);
  void operator()(const resp::ConfigSet&);
  void operator()(const resp::InfoQuery&);
  void operator()(const resp::Subscribe&);
  void operator()(const resp::Unsubscribe&);
  void operator()(const resp::EventsFrom&);
  void operator()(const resp::NoEvents&);
  void operator()(const resp::MembersStatus&);  // service_members.cpp
  void operator()(const resp::MembersBackup&);  // backup_source.cpp; without READ and LOCAL when the proof is there
  // With LOCAL, or when the proof is there.
  void operator()(const resp::SessionShow&);
  void operator()(const resp::SessionList&);
  void operator()(const resp::Check&);
  void operator()(const resp::Show&);
  void operator()(const resp::Locks&);
  void operator()(const resp::History&);
  // Never come here: service_requests.cpp takes them.
  void operator()(const resp::Change&) {}
  void operator()(const resp::KeepAlive&) {}
  void operator()(const resp::MembersChange&) {}

 private:
  bool log_in(std::string_view user, std::string_view password);  // false: an error was written
  bool kill_matches(const Connection&, const resp::ClientKill&) const;
  void append_line(std::string& out, const Connection&) const;
  const lock::Machine& machine() const;

  Service& service_;
  Connection& c_;
  resp::ReplyWriter writer_;
};

}  // namespace cleat::server
