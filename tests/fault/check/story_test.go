package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// story is a history that a test tells: times in milliseconds, a client's name, what it did.
type story struct {
	history *History
	log     []RegisterWrite
}

func newStory() *story { return &story{history: newHistory()} }

func (s *story) tell(client string, call, back int64, o Operation) *Operation {
	o.Client, o.Process, o.ID = client, 1, int64(len(s.history.Operations)+1)
	o.Call, o.Return = call*ms, back*ms
	if o.Name == "" {
		o.Name = "n"
	}
	if o.Result == "" {
		o.Result = resultOK
	}
	if o.Result == resultUnknown {
		o.Return = never
	}
	s.history.Operations = append(s.history.Operations, &o)
	return &o
}

// lock is one that was granted, exclusive, for two seconds from its sending.
func (s *story) lock(client string, call, back, fence int64) *Operation {
	return s.tell(client, call, back, Operation{Op: "lock", Mode: "X", Fence: fence, Deadline: (call + 2000) * ms})
}

func (s *story) shared(client string, call, back, fence int64) *Operation {
	o := s.lock(client, call, back, fence)
	o.Mode = "S"
	return o
}

func (s *story) refused(client string, call, back, heldBy int64) *Operation {
	return s.tell(client, call, back, Operation{Op: "lock", Mode: "X", Result: resultRefused, HeldBy: heldBy})
}

func (s *story) about(op, client string, call, back, fence int64, result string) *Operation {
	return s.tell(client, call, back, Operation{Op: op, Fence: fence, Result: result})
}

func (s *story) unlock(client string, call, back, fence int64, result string) *Operation {
	return s.about("unlock", client, call, back, fence, result)
}

func (s *story) show(client string, call, back, revision int64, holders []int64, waiters ...string) {
	s.tell(client, call, back, Operation{Op: "show", Revision: revision, Holders: holders, Waiters: waiters})
}

func (s *story) loss(client string, at, fence int64) {
	o := s.about("loss", client, at, at, fence, resultLost)
	s.history.Operations = s.history.Operations[:len(s.history.Operations)-1]
	s.history.Losses = append(s.history.Losses, o)
}

func (s *story) read(client string, call, back, fence, value, version int64) *Operation {
	return s.tell(client, call, back, Operation{Op: "read", Mode: "X", Fence: fence, Value: value, Version: version})
}

// write is one that the register took, and has in its log.
func (s *story) write(client string, call, back, fence, value, version, base int64) *Operation {
	s.log = append(s.log, RegisterWrite{At: back * ms, Name: "n", Fence: fence, Value: value, Version: version, Base: base})
	return s.tell(client, call, back, Operation{Op: "write", Fence: fence, Value: value, Version: version, Base: base})
}

// update is a read and the write of the value plus one.
func (s *story) update(client string, call, fence, value int64) {
	s.read(client, call, call+1, fence, value, value)
	s.write(client, call+2, call+3, fence, value+1, value+1, value)
}

func (s *story) check(fences bool) *Report {
	s.history.Finish()
	return check(s.history, s.log, options{fences: fences, limit: 10 * time.Second, least: 0.9, workers: 2})
}

func (r *Report) kinds() []string {
	var kinds []string
	for _, v := range r.Violations {
		kinds = append(kinds, v.Kind)
	}
	return kinds
}

func (r *Report) text() string {
	var lines []string
	for _, v := range r.Violations {
		lines = append(lines, v.Message)
	}
	return strings.Join(append(lines, r.Why), "\n")
}

const (
	inLocks    = "not linearizable (lock)"
	inRegister = "not linearizable (register)"
)

// What the service must never do: each is found, by the part that should find it, with a message that says who and when.
var planted = []struct {
	name  string
	tell  func(s *story)
	kinds []string
	says  string
}{
	{"two are granted it", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 5, 6, 2)
		s.unlock("b", 20, 21, 2, resultOK)
		s.unlock("a", 50, 51, 1, resultOK)
	}, []string{"exclusion", inLocks}, "b (process 1), fence 2, exclusive was granted it by 0.006000 s, 44.000 ms before the unlock (0.050000 s) of a (process 1), fence 1"},
	{"granted before the deadline of one that was killed", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 100, 1900, 2)
		s.unlock("b", 1950, 1960, 2, resultOK)
	}, []string{"exclusion", inLocks}, "100.000 ms before the deadline (2.000000 s) of a (process 1), fence 1"},
	{"granted although an unlock, later than the deadline, succeeded", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 2500, 2501, 2)
		s.unlock("b", 2510, 2511, 2, resultOK)
		s.unlock("a", 3000, 3001, 1, resultOK)
	}, []string{"exclusion", inLocks}, "before the unlock (3.000000 s)"},
	{"a writer beside a reader", func(s *story) {
		s.shared("a", 0, 1, 1)
		s.shared("b", 2, 3, 2)
		s.lock("c", 4, 5, 3)
		s.unlock("b", 6, 7, 2, resultOK)
		s.unlock("c", 8, 9, 3, resultOK)
		s.unlock("a", 10, 11, 1, resultOK)
	}, []string{"exclusion", inLocks}, "a (process 1), fence 1, shared"},
	{"a fence that goes back", func(s *story) {
		s.lock("a", 0, 1, 5)
		s.unlock("a", 2, 3, 5, resultOK)
		s.lock("b", 10, 11, 3)
		s.unlock("b", 12, 13, 3, resultOK)
	}, []string{"fence going back", inLocks}, "b (process 1), fence 3, exclusive asked at 0.010000 s, when a (process 1), fence 5, exclusive had its grant already (at 0.001000 s)"},
	{"a fence twice", func(s *story) {
		s.lock("a", 0, 1, 5)
		s.unlock("a", 2, 3, 5, resultOK)
		s.lock("b", 10, 11, 5)
		s.unlock("b", 12, 13, 5, resultOK)
	}, []string{"fence granted twice"}, "fence 5 was granted to a (process 1)"},
	{"a fence twice, of two names", func(s *story) {
		s.lock("a", 0, 1, 5)
		s.unlock("a", 2, 3, 5, resultOK)
		s.lock("b", 10, 11, 5).Name = "m"
		s.unlock("b", 12, 13, 5, resultOK).Name = "m"
	}, []string{"fence granted twice"}, "to b (process 1) for m"},
	{"not held, before the deadline", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 50, 51, 1, resultLost)
	}, []string{"lost before its deadline"}, "at 0.051000 s its unlock was answered that it is not held, its deadline was 2.000000 s"},
	{"a push tells of a loss before the deadline", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.loss("a", 70, 1)
	}, []string{"lost before its deadline"}, "at 0.070000 s its loss"},
	{"told of a loss that was none", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.loss("a", 2100, 1)
		s.unlock("a", 2200, 2201, 1, resultOK)
	}, []string{"loss told in error", inLocks}, "let it go with success at 2.200000 s"},
	{"it stands after its loss", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.about("renew", "a", 2100, 2101, 1, resultLost)
		s.about("check", "a", 2200, 2201, 1, resultOK)
	}, []string{"stood after its loss", inLocks}, "asked at 2.200000 s"},
	{"one request, two holds", func(s *story) {
		s.lock("a", 0, 1, 1).Req = "7/r1"
		again := s.lock("a", 2, 3, 2)
		again.Req, again.Again = "7/r1", true
		s.unlock("a", 10, 11, 2, resultOK)
	}, []string{"exactly once", inLocks}, "(REQ 7/r1) twice and got two holds: fence 1 at 0.001000 s, fence 2 at 0.003000 s"},
	{"one request counts twice", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 10, 11, 1, resultWrong).Why = "depth 1 is left"
	}, []string{"wrong answer"}, "depth 1 is left"},
	{"overtaken in line", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 2, 30, 3).Owner = "b-1"
		s.lock("c", 3, 25, 2).Owner = "c-1"
		s.show("d", 5, 6, 17, []int64{1}, "b-1", "c-1")
		s.unlock("a", 10, 11, 1, resultOK)
		s.unlock("c", 26, 27, 2, resultOK)
		s.unlock("b", 31, 32, 3, resultOK)
	}, []string{"overtaken"}, "at revision 17, asked at 0.005000 s, b-1 (b (process 1)) stood in line before c-1 (c (process 1)), and got fence 3, the other 2"},
	{"a reader who comes later passes a writer in line", func(s *story) {
		s.shared("a", 0, 1, 1)
		s.lock("b", 2, 40, 3).Owner = "b-1"
		s.show("d", 5, 6, 17, []int64{1}, "b-1")
		s.shared("c", 7, 8, 2)
		s.unlock("a", 10, 11, 1, resultOK)
		s.unlock("c", 30, 31, 2, resultOK)
		s.unlock("b", 41, 42, 3, resultOK)
	}, []string{"overtaken"}, "b (process 1), fence 3, exclusive was seen in line by 0.006000 s, and granted after c (process 1), fence 2, shared, who asked at 0.007000 s only"},
	{"one waits for what nobody holds", func(s *story) {
		s.show("a", 5, 6, 17, nil, "b-1")
	}, []string{"nobody was woken"}, "at revision 17, asked at 0.000000 s, nobody holds it and \"b-1\" waits"},
	{"a look that misses a holder", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.show("b", 5, 6, 1, nil)
		s.unlock("a", 10, 11, 1, resultOK)
	}, []string{inLocks}, "show of b (process 1): held with []"},
	{"a look at one who let go", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 10, 11, 1, resultOK)
		s.show("b", 15, 16, 1, []int64{1})
	}, []string{inLocks}, "there is no place for: show of b (process 1): held with [1]"},
	{"an unlock that was forgotten", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 10, 11, 1, resultOK)
		s.refused("b", 15, 16, 1)
	}, []string{inLocks}, "lock of b (process 1): fence 1 stands"},
	{"gone, and there again", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 10, 11, 1, resultGone)
		s.refused("b", 15, 16, 1)
	}, []string{inLocks}, "lock of b (process 1): fence 1 stands"},
	{"a check that denies a hold", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.about("check", "a", 5, 6, 1, resultLost)
		s.unlock("a", 10, 11, 1, resultOK)
	}, []string{"loss told in error", inLocks}, "check of a (process 1): fence 1 gone"},
	{"a later look sees an earlier revision", func(s *story) {
		s.show("a", 0, 1, 9, nil)
		s.show("b", 5, 6, 8, nil)
	}, []string{"stale look"}, "b (process 1) asked at 0.005000 s and was shown revision 8; a (process 1) had been shown revision 9"},
	{"a late write is taken", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.read("a", 2, 3, 1, 0, 0)
		s.lock("b", 2100, 2101, 2)
		s.update("b", 2102, 2, 0)
		s.write("a", 2200, 2201, 1, 1, 2, 0)
		s.unlock("b", 2300, 2301, 2, resultOK)
	}, []string{"lost update", inRegister}, "version 1 (value 1), acknowledged to b (process 1) with fence 2 at 2.105000 s, was overwritten by version 2"},
	{"a write gets lost", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.update("a", 2, 1, 0)
		s.log = nil
		s.read("a", 10, 11, 1, 0, 0)
		s.unlock("a", 20, 21, 1, resultOK)
	}, []string{"lost write", inRegister}, "version 1 (value 1, fence 1) was acknowledged to a (process 1)"},
	{"a good write is refused", func(s *story) {
		s.lock("a", 0, 1, 1)
		o := s.about("write", "a", 2, 3, 1, resultStale)
		o.Deadline = 2000 * ms
		s.unlock("a", 20, 21, 1, resultOK)
	}, []string{"refused a believer", inRegister}, "the register refused the write of a (process 1) with fence 1"},
	{"it changes under a reader", func(s *story) {
		s.shared("a", 0, 1, 1)
		first := s.read("a", 2, 3, 1, 0, 0)
		s.lock("b", 3, 4, 2)
		s.update("b", 5, 2, 0)
		second := s.read("a", 10, 11, 1, 1, 1)
		first.Mode, second.Mode, second.Deadline = "S", "S", 2000*ms
		s.unlock("b", 20, 21, 2, resultOK)
	}, []string{"exclusion", "changed under a reader"}, "read version 0 at 0.003000 s and version 1"},
}

func TestPlanted(t *testing.T) {
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			s := newStory()
			p.tell(s)
			report := s.check(true)
			for _, kind := range p.kinds {
				if !slices.Contains(report.kinds(), kind) {
					t.Errorf("not found: %s. Found: %q", kind, report.kinds())
				}
			}
			if report.Clean || !strings.Contains(report.text(), p.says) {
				t.Errorf("clean %t, nothing says %q:\n%s", report.Clean, p.says, report.text())
			}
		})
	}
}

// What may happen, and the service is right.
var good = []struct {
	name string
	tell func(s *story)
}{
	{"one after the other", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 1, 20, 2)
		s.update("a", 2, 1, 0)
		s.unlock("a", 10, 15, 1, resultOK)
		s.update("b", 21, 2, 1)
		s.unlock("b", 30, 31, 2, resultOK)
	}},
	{"granted while the unlock is under way", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 1, 12, 2)
		s.unlock("a", 10, 15, 1, resultOK)
		s.unlock("b", 30, 31, 2, resultOK)
	}},
	{"a dead holder's time is over", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 100, 2001, 2)
		s.unlock("b", 2010, 2011, 2, resultOK)
	}},
	{"let go long after the deadline, while nobody else wanted it", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 5000, 5001, 1, resultOK)
		s.lock("b", 5010, 5011, 2)
		s.unlock("b", 5020, 5021, 2, resultOK)
	}},
	{"an unlock that nobody answered, and that was done", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 10, 0, 1, resultUnknown)
		s.lock("b", 20, 21, 2)
		s.unlock("b", 30, 31, 2, resultOK)
	}},
	{"one that was not", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 10, 0, 1, resultUnknown)
		s.refused("b", 1500, 1510, 1)
		s.lock("b", 2000, 2100, 2)
		s.unlock("b", 2110, 2111, 2, resultOK)
	}},
	{"an unlock said twice that finds it gone", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 10, 40, 1, resultGone)
		s.lock("b", 20, 21, 2)
		s.unlock("b", 30, 31, 2, resultOK)
	}},
	{"let go behind its deadline, while the service has not ended it yet", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.unlock("a", 2500, 2501, 1, resultGone)
		s.refused("b", 2600, 2601, 1)
		s.lock("b", 3000, 3001, 2)
		s.unlock("b", 3010, 3011, 2, resultOK)
	}},
	{"told of its loss, behind the deadline", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 10, 2300, 2)
		s.loss("a", 2100, 1)
		s.unlock("a", 2200, 2201, 1, resultLost)
		s.unlock("b", 2310, 2311, 2, resultOK)
	}},
	{"kept alive", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.about("renew", "a", 1500, 1501, 1, resultOK).Deadline = 3500 * ms
		s.lock("b", 10, 3501, 2)
		s.unlock("b", 3600, 3601, 2, resultOK)
	}},
	{"a lock that nobody answered, and that was granted", func(s *story) {
		s.tell("a", 0, 0, Operation{Op: "lock", Mode: "X", Result: resultUnknown})
		s.show("b", 5, 6, 3, []int64{1})
		s.refused("b", 7, 8, 1)
		s.lock("c", 9, 2100, 2)
		s.unlock("c", 2200, 2201, 2, resultOK)
	}},
	{"readers together, and a writer after them", func(s *story) {
		s.shared("a", 0, 1, 1)
		s.shared("b", 2, 3, 2)
		s.show("d", 4, 5, 2, []int64{1, 2})
		s.lock("c", 4, 30, 3)
		s.unlock("b", 6, 7, 2, resultOK)
		s.unlock("a", 10, 0, 1, resultUnknown)
		s.unlock("c", 40, 41, 3, resultOK)
	}},
	{"the same request, the same answer", func(s *story) {
		s.lock("a", 0, 1, 1).Req = "7/r1"
		s.lock("a", 2, 3, 1).Req = "7/r1"
		s.unlock("a", 10, 11, 1, resultOK)
	}},
	{"a token joins its own hold", func(s *story) {
		s.lock("a", 0, 1, 1).Token = "t"
		s.lock("a", 1500, 1501, 1).Token = "t"
		s.unlock("a", 3600, 3601, 1, resultLost)
	}},
	{"in line, in order", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.lock("b", 2, 25, 2).Owner = "b-1"
		s.lock("c", 3, 35, 3).Owner = "c-1"
		s.show("d", 5, 6, 17, []int64{1}, "b-1", "gave-up", "c-1")
		s.show("e", 5, 7, 16, []int64{1}, "b-1", "gave-up", "c-1")
		s.unlock("a", 10, 11, 1, resultOK)
		s.unlock("b", 26, 27, 2, resultOK)
		s.unlock("c", 36, 37, 3, resultOK)
	}},
	{"a late write is refused, also if only a read came before it", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.read("a", 2, 3, 1, 0, 0)
		s.lock("b", 2100, 2101, 2)
		s.read("b", 2102, 2103, 2, 0, 0)
		s.about("write", "a", 2104, 2105, 1, resultStale)
		s.write("b", 2106, 2107, 2, 1, 1, 0)
		s.unlock("b", 2300, 2301, 2, resultOK)
	}},
	{"a write that nobody answered, and that was done", func(s *story) {
		s.lock("a", 0, 1, 1)
		o := s.write("a", 2, 0, 1, 1, 1, 0)
		o.Result, o.Return = resultUnknown, never
		s.lock("b", 2100, 2101, 2)
		s.update("b", 2102, 2, 1)
		s.unlock("b", 2300, 2301, 2, resultOK)
	}},
	{"one that was not done", func(s *story) {
		s.lock("a", 0, 1, 1)
		s.tell("a", 2, 0, Operation{Op: "write", Fence: 1, Value: 1, Result: resultUnknown})
		s.lock("b", 2100, 2101, 2)
		s.update("b", 2102, 2, 0)
		s.unlock("b", 2300, 2301, 2, resultOK)
	}},
}

func TestGood(t *testing.T) {
	for _, g := range good {
		t.Run(g.name, func(t *testing.T) {
			s := newStory()
			g.tell(s)
			s.lock("z", 9000, 9001, 99) // so that no history is without a write
			s.tell("z", 9002, 9003, Operation{Op: "write", Name: "other", Fence: 99, Value: 1, Version: 1})
			s.log = append(s.log, RegisterWrite{Name: "other", Fence: 99, Value: 1, Version: 1})
			s.unlock("z", 9004, 9005, 99, resultOK)
			for range 20 { // and that one unknown outcome is not a tenth of it
				s.tell("z", 9006, 9007, Operation{Op: "show", Name: "other", Revision: 99})
			}
			if report := s.check(true); !report.Clean {
				t.Errorf("not clean:\n%s", report.text())
			}
		})
	}
}

func TestWithoutFenceCheckLostUpdatesAreCounted(t *testing.T) {
	s := newStory()
	s.lock("a", 0, 1, 1)
	s.read("a", 2, 3, 1, 0, 0)
	s.lock("b", 2100, 2101, 2)
	s.update("b", 2102, 2, 0)
	s.update("b", 2110, 2, 1)
	s.write("a", 2200, 2201, 1, 1, 3, 0)
	s.unlock("b", 2300, 2301, 2, resultOK)
	report := s.check(false)
	if !report.Clean || report.LostUpdates != 2 || report.Acknowledged != 3 {
		t.Errorf("clean %t, lost %d of %d: %s", report.Clean, report.LostUpdates, report.Acknowledged, report.text())
	}
	if says := "which had read version 0, of a (process 1), fence 1, exclusive, at 2.201000 s; its deadline was 2.000000 s"; !strings.Contains(report.FirstLost, says) {
		t.Errorf("not in it: %s: %s", says, report.FirstLost)
	}
}

func TestEmptyChecksAreNotClean(t *testing.T) {
	if report := newStory().check(true); report.Clean {
		t.Error("a history without operations is clean")
	}
	s := newStory()
	s.lock("a", 0, 1, 1)
	s.update("a", 2, 1, 0)
	s.unlock("a", 10, 11, 1, resultOK)
	if report := s.check(true); !report.Clean {
		t.Error(report.text())
	}
	s.tell("a", 20, 0, Operation{Op: "lock", Mode: "X", Result: resultUnknown})
	if report := s.check(true); report.Clean || !strings.Contains(report.Why, "of 5 operations (of locks 2 of 3) is known") {
		t.Errorf("clean %t: %s", report.Clean, report.Why)
	}
}

// Porcupine's search may take for ever. Then nothing is known, and that is told.
func TestWhatCanNotBeDecidedInTimeIsNotClean(t *testing.T) {
	s := newStory()
	s.lock("a", 0, 1, 1)
	for i := range int64(40) {
		s.tell(fmt.Sprint("w", i), 2, 0, Operation{Op: "write", Fence: 1, Value: i, Result: resultUnknown})
	}
	s.read("a", 10, 11, 1, 41, 40)
	s.history.Finish()
	report := check(s.history, s.log, options{fences: true, limit: 50 * time.Millisecond, workers: 2})
	if report.Clean || !slices.Contains(report.TimedOut, "register n") {
		t.Errorf("clean %t, timed out: %q", report.Clean, report.TimedOut)
	}
}
