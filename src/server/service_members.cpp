// MEMBERS: who is there, and changes of it. A change is asked of the replica and answered when it is in force.
#include "resp/errors.hpp"
#include "resp/members_reply.hpp"
#include "server/local_answers.hpp"
#include "server/membership_rules.hpp"
#include "server/service.hpp"

namespace cleat::server {

ClusterFacts Service::facts() const {
  ClusterFacts facts = around_.cluster_facts ? around_.cluster_facts() : ClusterFacts{};
  facts.member = member_;
  facts.boot = replica_->boot();
  return facts;
}

MembersNow Service::members_now() const {
  return {replica_->members(), replica_->status(), replica_->peers()};
}

void LocalAnswers::operator()(const resp::MembersStatus&) {
  resp::write_members(writer_, members_status(service_.facts(), service_.members_now()));
}

// Nothing of this connection is pending.
Service::Taken Service::take_members(Connection& c, const resp::MembersChange& asked, size_t begin, size_t end) {
  const MembersPlan plan = plan_members(asked, facts(), members_now());
  auto writer = c.writer();
  if (const auto* refused = std::get_if<AnswerError>(&plan)) {
    writer.error(refused->line);
  } else if (const auto* done = std::get_if<AnswerId>(&plan)) {
    asked.kind == resp::MembersChange::Kind::kAdd        ? writer.integer(done->id)
    : asked.kind == resp::MembersChange::Kind::kTransfer ? writer.bulk(asked.name)
                                                         : writer.ok();
  } else if (const auto* transfer = std::get_if<AskTransfer>(&plan)) {
    const base::Status status = replica_->transfer(transfer->to.id);
    status.ok() ? writer.bulk(transfer->to.name) : writer.error(change_error(status));
    fed_ = true;
  } else {
    const replica::MemberChange& change = std::get<AskChange>(plan).change;
    const uint64_t cookie = ++last_members_cookie_;
    members_asked_[cookie] = {
        {c.ref.connection, c.run},
        change.kind == replica::MemberChange::Kind::kAddLearner ? change.member.name : std::string()};
    c.pending.push_back({Pending::Kind::kMembers, false, false, lock::Verb::kTick, 0, begin, end});
    replica_->change_members(cookie, change);
    fed_ = true;
    return Taken::kYesAndStop;
  }
  return Taken::kYes;
}

void Service::on_members_changed(uint64_t cookie, const base::Status& status) {
  const auto asked = members_asked_.extract(cookie);
  if (asked.empty()) return;
  Connection* c = find(asked.mapped().from);
  if (!c || c->front().kind != Pending::Kind::kMembers) return;
  auto writer = c->writer();
  if (!status.ok()) {
    writer.error(change_error(status));
  } else if (const std::string& added = asked.mapped().added; !added.empty()) {
    const replica::Member* member = replica_->members().find(std::string_view(added));  // the leader chose its id
    writer.integer(member ? member->id : 0);
  } else {
    writer.ok();
  }
  c->pop_front();
  touch(*c);
  resume(*c);
}

void Service::on_members(const replica::Members& members) {
  if (around_.on_members) around_.on_members(members);
}

void Service::on_unfit(const std::string& why) {
  if (around_.on_unfit) around_.on_unfit(why);
}

}  // namespace cleat::server
