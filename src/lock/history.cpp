// Revisions, and the bounded history of each name.
#include "base/mutant.hpp"
#include "lock/core.hpp"

namespace cleat::lock {

// The name must have been touched: the change itself came first.
void Core::record(Handle name, Event& e) {
  e.revision = {++revision.value};
  e.log_ms = log_ms;
  e.wall_ms = wall_ms;
  e.name = names[name].name.view();
  if (settings.history_entries == 0 || settings.history_per_name == 0) return;
  NameExtra& x = extra_of(names[name]);
  const Handle h = history.take();
  HistoryRecord& r = history[h];
  r.revision = e.revision;
  r.fence = e.fence;
  r.session = e.session;
  r.wall_ms = e.wall_ms;
  r.owner = Blob(e.owner);
  r.label = Blob(e.label);
  r.kind = e.kind;
  r.why = e.why;
  r.mode = e.mode;
  r.name = name;
  (x.last_history ? history[x.last_history].name_next : x.first_history) = h;
  x.last_history = h;
  ++x.history;
  r.prev = last_history;
  (last_history ? history[last_history].next : first_history) = h;
  last_history = h;
  if (base::mutant("history_unbounded")) return;
  while (x.history > settings.history_per_name) drop_first_history_of(name);
  while (history.size() > settings.history_entries) drop_oldest_history();
}

void Core::drop_first_history_of(Handle name) {
  NameExtra& x = extras[names[name].extra];
  const Handle h = x.first_history;
  const HistoryRecord& r = history[h];
  x.first_history = r.name_next;
  if (!x.first_history) x.last_history = 0;
  --x.history;
  (r.prev ? history[r.prev].next : first_history) = r.next;
  (r.next ? history[r.next].prev : last_history) = r.prev;
  history.give(h);
}

void Core::drop_oldest_history() {
  const Handle name = history[first_history].name;
  touch_name(name);
  drop_first_history_of(name);
}

void Core::trim_history() {
  for (Handle h = first_history, next; h; h = next) {
    next = history[h].next;
    const Handle name = history[h].name;
    if (extras[names[name].extra].history <= settings.history_per_name) continue;
    touch_name(name);
    drop_first_history_of(name);  // which is h: all older ones of this name were met before
  }
  while (history.size() > settings.history_entries) drop_oldest_history();
}

}  // namespace cleat::lock
