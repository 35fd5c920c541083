package main

import "math"

// The plain half of the check: no search, one look at each grant and its neighbours in the order of fences. It sees less than
// Porcupine does, and says more: who, when, which fences.

func sweep(name *Name, report *Report) {
	sweepEnds(name, report)
	sweepPairs(name, report)
	sweepQueue(name, report)
}

// What one hold's own answers say of it must fit together.
func sweepEnds(name *Name, report *Report) {
	for _, h := range name.Holds {
		from, to := h.end()
		switch {
		case h.Unlock != nil && h.Unlock.Result == resultOK && h.Told != nil && h.Told.Return < h.Unlock.Call:
			report.add("loss told in error", name.Name, "%s: told at %s (%s) that it was lost, and let it go with success at %s", h, report.at(h.Told.Return),
				h.Told.Op, report.at(h.Unlock.Call))
		case h.Told != nil && h.Told.Return < h.Stood:
			report.add("stood after its loss", name.Name, "%s: told at %s (%s) that it was lost; asked at %s, the service said that it stands", h,
				report.at(h.Told.Return), h.Told.Op, report.at(h.Stood))
		case from > to:
			last := h.Told
			if last == nil || h.Unlock != nil && h.Unlock.Return < last.Return {
				last = h.Unlock
			}
			report.add("lost before its deadline", name.Name, "%s: at %s its %s was answered that it is not held, its deadline was %s", h, report.at(last.Return),
				last.Op, report.at(h.Deadline))
		}
	}
}

// The service grants in the order of fences. So of two grants the one with the smaller fence came first; and if they exclude
// each other it was over before the other began.
func sweepPairs(name *Name, report *Report) {
	var anyNext, exclusiveNext *Hold // of those with greater fences, the one whose LOCK returned first
	for i := len(name.Holds) - 1; i >= 0; i-- {
		h := name.Holds[i]
		if anyNext != nil && anyNext.Lock.Return < h.Lock.Call {
			report.add("fence going back", name.Name, "%s asked at %s, when %s had its grant already (at %s)", h, report.at(h.Lock.Call), anyNext,
				report.at(anyNext.Lock.Return))
		}
		next := anyNext
		if h.Mode == "S" {
			next = exclusiveNext
		}
		if next != nil && next.Lock.Return < h.certain() {
			report.add("exclusion", name.Name, "%s was granted it by %s, %.3f ms before %s of %s, who had it since %s at the latest", next,
				report.at(next.Lock.Return), float64(h.certain()-next.Lock.Return)/1e6, h.whatStands(report), h, report.at(h.Lock.Return))
		}
		anyNext = firstReturned(anyNext, h)
		if h.Mode != "S" {
			exclusiveNext = firstReturned(exclusiveNext, h)
		}
	}
}

// whatStands says what made certain that it stood.
func (h *Hold) whatStands(report *Report) string {
	from, _ := h.end()
	switch {
	case h.Stood > from:
		return "the time (" + report.at(h.Stood) + ") at which the service said that it stands, the hold"
	case h.Unlock != nil && from == h.Unlock.Call:
		return "the unlock (" + report.at(from) + ")"
	}
	return "the deadline (" + report.at(from) + ")"
}

func firstReturned(a, b *Hold) *Hold {
	if a == nil || b.Lock.Return < a.Lock.Return {
		return b
	}
	return a
}

// Who was seen in line before another, or before another had asked at all, is granted before it. All ask with the same priority,
// and in exclusive and shared mode alone: then the line is served strictly in its order.
func sweepQueue(name *Name, report *Report) {
	waiting := map[string]*Hold{} // granted later, by owner
	for _, h := range name.Holds {
		if h.Lock.Owner != "" {
			waiting[h.Lock.Owner] = h
		}
	}
	seen := map[*Hold]*Operation{} // the look that returned first of those which show it in line
	for _, o := range name.Operations {
		if o.Op != "show" || o.Result != resultOK {
			continue
		}
		if len(o.Holders) == 0 && len(o.Waiters) > 0 {
			report.add("nobody was woken", name.Name, "at revision %d, asked at %s, nobody holds it and %q waits", o.Revision, report.at(o.Call), o.Waiters[0])
		}
		var before *Hold
		for _, owner := range o.Waiters {
			h := waiting[owner]
			if h == nil {
				continue
			}
			if seen[h] == nil || o.Return < seen[h].Return {
				seen[h] = o
			}
			if before != nil {
				report.Counts["places in line compared"]++
			}
			if before != nil && before.Fence > h.Fence {
				report.add("overtaken", name.Name, "at revision %d, asked at %s, %s (%s) stood in line before %s (%s), and got fence %d, the other %d", o.Revision,
					report.at(o.Call), before.Lock.Owner, before.Lock.who(), owner, h.Lock.who(), before.Fence, h.Fence)
			}
			before = h
		}
	}
	sweepNewcomers(name, seen, report)
}

func sweepNewcomers(name *Name, seen map[*Hold]*Operation, report *Report) {
	var first *Hold // of those with greater fences, the one seen in line first
	for i := len(name.Holds) - 1; i >= 0; i-- {
		h := name.Holds[i]
		if first != nil && seen[first].Return < h.Lock.Call {
			report.add("overtaken", name.Name, "%s was seen in line by %s, and granted after %s, who asked at %s only", first, report.at(seen[first].Return), h,
				report.at(h.Lock.Call))
		}
		if seen[h] != nil {
			report.Counts["seen in line"]++
			if first == nil || seen[h].Return < seen[first].Return {
				first = h
			}
		}
	}
}

// A later look shows no earlier revision, whatever name is looked at and whichever member is asked.
func sweepRevisions(history *History, report *Report) {
	var shows []*Operation
	for _, o := range history.Operations {
		if o.Op == "show" && o.Result == resultOK && o.Revision > 0 {
			shows = append(shows, o)
		}
	}
	least := int64(math.MaxInt64)
	var first *Operation
	for i := len(shows) - 1; i >= 0; i-- { // those that were asked later come first
		o := shows[i]
		if first != nil && o.Revision > least && o.Return < first.Call {
			report.add("stale look", first.Name, "%s asked at %s and was shown revision %d; %s had been shown revision %d by %s", first.who(), report.at(first.Call),
				first.Revision, o.who(), o.Revision, report.at(o.Return))
		}
		if o.Revision < least {
			least, first = o.Revision, o
		}
	}
}
