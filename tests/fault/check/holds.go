package main

import (
	"cmp"
	"fmt"
	"slices"
)

// Hold is one grant, and all that was noted about it.
type Hold struct {
	Name, Mode string
	Fence      int64
	Lock       *Operation
	Deadline   int64      // the latest that its holder reckoned: nobody else is granted the name before it
	Unlock     *Operation // its first, or nil
	Told       *Operation // the earliest answer or push which says that it is over, or nil
	Stood      int64      // the service confirmed that it stood, of a request sent then; 0: it did not
}

// Name is what concerns one name: each is checked by itself, for no rule of locks binds two of them.
type Name struct {
	Name       string
	Holds      []*Hold      // by fence
	Operations []*Operation // of the service, in the order of their calls
	Register   []*Operation
	byFence    map[int64]*Hold
}

func excludes(a, b string) bool { return a != "S" || b != "S" }

// end is the time in which a hold ended: not before its first number, and not after the second. An UNLOCK that was answered
// 0 ended it; then it stood until that was sent, whatever its deadline was. Otherwise time may have ended it, but not
// before the deadline, and an UNLOCK of which we don't know whether it was done.
func (h *Hold) end() (from, to int64) {
	from, to = h.Deadline, never
	if h.Told != nil {
		to = h.Told.Return
	}
	if h.Unlock == nil {
		return from, to
	}
	switch h.Unlock.Result {
	case resultOK:
		return h.Unlock.Call, h.Unlock.Return
	case resultLost:
		to = min(to, h.Unlock.Return)
	case resultGone:
		from = min(from, h.Unlock.Call)
		if h.Unlock.Return < h.Deadline { // behind it the holder's own clock may have said so, and the service has not ended it yet
			to = min(to, h.Unlock.Return)
		}
	default:
		from = min(from, h.Unlock.Call)
	}
	return from, to
}

// certain is the time until which it stood beyond any doubt.
func (h *Hold) certain() int64 {
	from, _ := h.end()
	return max(from, h.Stood)
}

func (h *Hold) String() string {
	return fmt.Sprintf("%s, fence %d, %s", h.Lock.who(), h.Fence, map[bool]string{true: "shared", false: "exclusive"}[h.Mode == "S"])
}

// sortOut makes the names of a history, and finds what is wrong with single grants.
func sortOut(history *History, report *Report) []*Name {
	names := map[string]*Name{}
	of := func(name string) *Name {
		if names[name] == nil {
			names[name] = &Name{Name: name, byFence: map[int64]*Hold{}}
		}
		return names[name]
	}
	granted := map[int64]*Hold{} // by fence, of all names
	requests := map[string]*Operation{}
	for _, o := range history.Operations {
		name := of(o.Name)
		if o.Op == "read" || o.Op == "write" {
			name.Register = append(name.Register, o)
			continue
		}
		name.Operations = append(name.Operations, o)
		if o.Op == "lock" && o.Result == resultOK {
			name.onGranted(o, granted, requests, report)
		}
		if o.Result == resultWrong {
			report.add("wrong answer", o.Name, "%s was answered to its %s at %s: %s", o.who(), o.Op, report.at(o.Call), o.Why)
		}
	}
	for _, o := range history.Operations {
		of(o.Name).note(o, report)
	}
	for _, o := range history.Losses {
		of(o.Name).note(o, report)
	}
	sorted := make([]*Name, 0, len(names))
	for _, name := range names {
		slices.SortFunc(name.Holds, func(a, b *Hold) int { return cmp.Compare(a.Fence, b.Fence) })
		sorted = append(sorted, name)
	}
	slices.SortFunc(sorted, func(a, b *Name) int { return cmp.Compare(a.Name, b.Name) })
	return sorted
}

func (n *Name) onGranted(o *Operation, granted map[int64]*Hold, requests map[string]*Operation, report *Report) {
	if o.Req != "" {
		first := requests[o.Req]
		if first != nil && first.Fence != o.Fence {
			report.add("exactly once", n.Name, "%s said the same request (REQ %s) twice and got two holds: fence %d at %s, fence %d at %s",
				o.who(), o.Req, first.Fence, report.at(first.Return), o.Fence, report.at(o.Return))
		} else if first != nil {
			return // the first answer again, as promised
		}
		requests[o.Req] = o
	}
	if before := granted[o.Fence]; before != nil {
		if o.Token != "" && before.Name == o.Name && before.Lock.Token == o.Token {
			before.Stood = max(before.Stood, o.Call) // it joined its own hold
			return
		}
		report.add("fence granted twice", n.Name, "fence %d was granted to %s for %s at %s, and to %s for %s at %s", o.Fence, before.Lock.who(),
			before.Name, report.at(before.Lock.Return), o.who(), o.Name, report.at(o.Return))
		if before.Name == o.Name {
			return // the rest can't tell the two apart
		}
	}
	hold := &Hold{Name: n.Name, Mode: o.Mode, Fence: o.Fence, Lock: o}
	granted[o.Fence], n.byFence[o.Fence] = hold, hold
	n.Holds = append(n.Holds, hold)
}

// note takes what an operation tells of a hold.
func (n *Name) note(o *Operation, report *Report) {
	if o.Op == "lock" && o.Result == resultRefused {
		if holder := n.byFence[o.HeldBy]; holder != nil {
			holder.Stood = max(holder.Stood, o.Call)
		}
		return
	}
	hold := n.byFence[o.Fence]
	if hold == nil || o.Op == "show" {
		return
	}
	hold.Deadline = max(hold.Deadline, o.Deadline)
	if o.Op == "unlock" {
		if hold.Unlock == nil {
			hold.Unlock = o
		}
		return
	}
	switch {
	case o.Op != "renew" && o.Op != "check" && o.Op != "loss":
	case o.Result == resultOK:
		hold.Stood = max(hold.Stood, o.Call)
	case o.Result == resultLost && (hold.Told == nil || o.Return < hold.Told.Return):
		hold.Told = o
	}
}
