// The parse functions that rows of the command table name. Each gets arguments whose number fits the row's arity.
#pragma once

#include "resp/request.hpp"

namespace cleat::resp {

void parse_lock(const ParseInput&, Request&);  // LOCK and TRYLOCK
void parse_unlock(const ParseInput&, Request&);
void parse_renew(const ParseInput&, Request&);
void parse_put(const ParseInput&, Request&);
void parse_cancel(const ParseInput&, Request&);

void parse_session_open(const ParseInput&, Request&);
void parse_session_attach(const ParseInput&, Request&);
void parse_session_keepalive(const ParseInput&, Request&);
void parse_session_close(const ParseInput&, Request&);
void parse_session_show(const ParseInput&, Request&);
void parse_session_list(const ParseInput&, Request&);

void parse_check(const ParseInput&, Request&);
void parse_show(const ParseInput&, Request&);
void parse_locks(const ParseInput&, Request&);
void parse_history(const ParseInput&, Request&);
void parse_events(const ParseInput&, Request&);
void parse_noevents(const ParseInput&, Request&);
void parse_subscribe(const ParseInput&, Request&);  // all four

void parse_hello(const ParseInput&, Request&);
void parse_auth(const ParseInput&, Request&);
void parse_ping(const ParseInput&, Request&);
void parse_echo(const ParseInput&, Request&);
void parse_quit(const ParseInput&, Request&);
void parse_reset(const ParseInput&, Request&);
void parse_select(const ParseInput&, Request&);
void parse_client_id(const ParseInput&, Request&);
void parse_client_getname(const ParseInput&, Request&);
void parse_client_setname(const ParseInput&, Request&);
void parse_client_setinfo(const ParseInput&, Request&);
void parse_client_info(const ParseInput&, Request&);
void parse_client_list(const ParseInput&, Request&);
void parse_client_kill(const ParseInput&, Request&);

void parse_members_status(const ParseInput&, Request&);
void parse_members_add(const ParseInput&, Request&);
void parse_members_change(const ParseInput&, Request&);  // REMOVE, PROMOTE, TRANSFER
void parse_members_backup(const ParseInput&, Request&);

void parse_help(const ParseInput&, Request&);  // of any container
void parse_command(const ParseInput&, Request&);
void parse_config_get(const ParseInput&, Request&);
void parse_config_set(const ParseInput&, Request&);
void parse_info(const ParseInput&, Request&);
void parse_time(const ParseInput&, Request&);

// Empty: the name may be used. Else the BADNAME line.
std::string name_error(std::string_view name, const Limits&);

}  // namespace cleat::resp
