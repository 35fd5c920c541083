package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A lock service of a few lines: one name, a queue, leases. Its clients are slow, die, and don't hear answers. What they note is
// right as long as the service is, whatever the order of things; and is not once the service ends a lease early.
type service struct {
	s       *story
	random  *rand.Rand
	now     int64
	fence   int64
	holders []holder
	early   int64 // ms by which leases end too soon
	value   int64
	seen    int64
}

type holder struct {
	fence, end int64
	shared     bool
}

func (v *service) below(n int64) int64 { return v.random.Int64N(n) }

func (v *service) free(shared bool) bool {
	v.holders = slices.DeleteFunc(v.holders, func(h holder) bool { return h.end <= v.now })
	return !slices.ContainsFunc(v.holders, func(h holder) bool { return !h.shared || !shared })
}

func (v *service) drop(fence int64) bool {
	before := len(v.holders)
	v.holders = slices.DeleteFunc(v.holders, func(h holder) bool { return h.fence == fence })
	return len(v.holders) < before
}

const ttl = 2000

// turn is all that one client does with one hold. Others come between: it runs as a coroutine would, one step for each call of the
// function that it returns, which answers false at its end.
func (v *service) turn(client string) func() bool {
	shared := v.below(4) == 0
	var fence, asked, at, value int64
	deaf := v.below(12) == 0
	step := 0
	return func() bool {
		step++
		switch step {
		case 1:
			asked = v.now
			return true
		case 2:
			return v.grant(client, shared, deaf, asked, &fence, &step)
		case 3:
			at, value = v.now, v.value
			if fence < v.seen {
				v.s.about("read", client, at, v.now+1, fence, resultStale).Mode = "X"
				return false
			}
			if !shared {
				v.seen = fence
				v.s.read(client, at, v.now+1, fence, value, value)
			}
			return v.below(15) > 0 // or it is killed
		case 4:
			if !shared {
				v.write(client, fence, value)
			}
			return true
		case 5:
			at = v.now
			return true
		}
		v.letGo(client, fence, at)
		return false
	}
}

func (v *service) grant(client string, shared, deaf bool, asked int64, fence *int64, step *int) bool {
	if !v.free(shared) {
		*step = 1 // waits
		return true
	}
	v.fence += 1 + v.below(3)
	*fence = v.fence
	v.holders = append(v.holders, holder{v.fence, v.now + ttl - v.early, shared})
	mode := map[bool]string{true: "S", false: "X"}[shared]
	if deaf {
		v.s.tell(client, asked, 0, Operation{Op: "lock", Mode: mode, Result: resultUnknown})
		return false
	}
	// It counts from the time of the grant: as waited_ms allows.
	v.s.tell(client, asked, v.now+v.below(10), Operation{Op: "lock", Mode: mode, Fence: v.fence, Deadline: (v.now + ttl) * ms})
	return true
}

func (v *service) write(client string, fence, value int64) {
	if fence < v.seen {
		v.s.about("write", client, v.now, v.now+1, fence, resultStale)
		return
	}
	v.value++
	if value+1 != v.value {
		panic("the register lost an update: the test is wrong")
	}
	v.s.write(client, v.now, v.now+1, fence, v.value, v.value, value)
}

func (v *service) letGo(client string, fence, at int64) {
	v.free(false)
	held := v.drop(fence)
	switch {
	case v.below(10) == 0:
		v.s.unlock(client, at, 0, fence, resultUnknown)
	case held:
		v.s.unlock(client, at, v.now+v.below(5), fence, resultOK)
	default:
		v.s.unlock(client, at, v.now+v.below(5), fence, resultLost)
	}
}

func tellRandom(seed uint64, early int64) *story {
	v := &service{s: newStory(), random: rand.New(rand.NewPCG(seed, 7)), early: early}
	running := map[string]func() bool{}
	for v.now < 60_000 {
		client := fmt.Sprint("c", v.below(6))
		if running[client] == nil {
			running[client] = v.turn(client)
		}
		if !running[client]() {
			delete(running, client)
		}
		v.now += v.below(60)
		if v.below(60) == 0 {
			v.now += v.below(2500) // everything stands still
		}
	}
	slices.SortStableFunc(v.s.log, func(a, b RegisterWrite) int { return cmp.Compare(a.Version, b.Version) })
	return v.s
}

func TestRandomHistories(t *testing.T) {
	grants, unknown := 0, 0
	for seed := range uint64(200) {
		report := tellRandom(seed, 0).check(true)
		grants += report.Counts["lock ok"]
		unknown += report.Operations - report.Definite
		if report.Found > 0 || len(report.TimedOut) > 0 {
			t.Fatalf("seed %d: the service was right, and is accused:\n%s", seed, report.text())
		}
	}
	if grants < 5000 || unknown < 300 {
		t.Errorf("%d grants, %d outcomes unknown: too few to say anything", grants, unknown)
	}
}

func TestLeasesThatEndTooSoonAreFoundInRandomHistories(t *testing.T) {
	bySearch, bySweep := 0, 0
	for seed := range uint64(60) {
		kinds := tellRandom(seed, 500).check(true).kinds()
		if slices.Contains(kinds, inLocks) {
			bySearch++
		}
		if slices.Contains(kinds, "exclusion") || slices.Contains(kinds, "lost before its deadline") {
			bySweep++
		}
	}
	t.Logf("of 60 histories the search accuses %d, the sweep %d", bySearch, bySweep)
	if bySearch < 20 || bySweep < 20 {
		t.Errorf("of 60 histories the search accuses %d, the sweep %d", bySearch, bySweep)
	}
}
