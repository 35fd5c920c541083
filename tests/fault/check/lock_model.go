package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The lock as Porcupine is told of it: an object whose steps are grants and ends of holds, and looks at it.
//
//   - grant: [LOCK sent, answered]. The name is free of holds that exclude it; its fence is the next greater one of all that
//     were granted for the name to anybody who knows of it.
//   - end: in the time that Hold.end tells. A deadline begins it: time ends a hold anywhere behind its deadline, never before.
//     What nobody heard of may end at any time from then on, or never.
//   - stands, gone: what RENEW, CHECK, a refused LOCK that names the holder, and the news of a loss say.
//   - shown: SHOW. All that stands is in it, and nothing in it of which we know that it doesn't stand.
//
// A LOCK with an unknown outcome is no step: nobody believes in what it may have been granted, and the service may not grant less
// for it. That it was granted after all may show in a SHOW, which therefore may list fences that are not known here.
type lockStep struct {
	kind   string
	fence  int64
	before int64 // of a grant: the fence of the grant before it
	shared bool
	shown  []int64 // fences that are known here
	note   string  // for messages
}

type lockState struct {
	fence  int64  // of the latest grant
	shared bool   // the holds are
	holds  string // their fences: " 7 9 "
}

func mark(fence int64) string { return fmt.Sprintf(" %d ", fence) }

func (s lockState) stands(fence int64) bool { return strings.Contains(s.holds, mark(fence)) }

func (s lockState) String() string {
	if s.holds == "" {
		return fmt.Sprintf("free, latest fence %d", s.fence)
	}
	return fmt.Sprintf("held with fence%s(%s)", s.holds, map[bool]string{true: "shared", false: "exclusive"}[s.shared])
}

func stepLock(state, input, _ any) (bool, any) {
	s, in := state.(lockState), input.(lockStep)
	switch in.kind {
	case "grant":
		if s.fence != in.before || in.fence <= s.fence || s.holds != "" && !(s.shared && in.shared) {
			return false, s
		}
		return true, lockState{in.fence, in.shared, s.holds + mark(in.fence)}
	case "end":
		return s.stands(in.fence), lockState{s.fence, s.shared, strings.Replace(s.holds, mark(in.fence), "", 1)}
	case "stands":
		return s.stands(in.fence), s
	case "gone":
		return in.fence <= s.fence && !s.stands(in.fence), s
	case "shown":
		return s.matches(in.shown), s
	}
	panic("no such step: " + in.kind)
}

func (s lockState) matches(shown []int64) bool {
	for _, fence := range shown {
		if !s.stands(fence) {
			return false
		}
	}
	return strings.Count(s.holds, " ") == 2*len(shown)
}

var lockModel = porcupine.Model{
	Init:              func() any { return lockState{} },
	Step:              stepLock,
	DescribeOperation: func(input, _ any) string { return input.(lockStep).note },
	DescribeState:     func(state any) string { return state.(lockState).String() },
}

// lockSteps are those of one name.
func lockSteps(name *Name, client func(*Operation) int) []porcupine.Operation {
	var steps []porcupine.Operation
	add := func(o *Operation, from, to int64, step lockStep) {
		steps = append(steps, porcupine.Operation{ClientId: client(o), Input: step, Call: from, Return: to})
	}
	before := int64(0)
	for _, h := range name.Holds {
		add(h.Lock, h.Lock.Call, h.Lock.Return, lockStep{kind: "grant", fence: h.Fence, before: before, shared: h.Mode == "S", note: "grant of " + h.String()})
		before = h.Fence
		from, to := h.end()
		add(h.Lock, min(from, to), to, lockStep{kind: "end", fence: h.Fence, note: fmt.Sprintf("end of fence %d", h.Fence)})
		if h.Told != nil && h.Told.Op == "loss" {
			add(h.Told, h.Lock.Call, h.Told.Return, lockStep{kind: "gone", fence: h.Fence, note: fmt.Sprintf("%s is told that fence %d is lost", h.Told.who(), h.Fence)})
		}
	}
	for _, o := range name.Operations {
		if step, looks := lookStep(name, o); looks {
			add(o, o.Call, o.Return, step)
		}
	}
	return steps
}

// lookStep is the step of an operation which changes nothing, if it says something of a hold that is known.
func lookStep(name *Name, o *Operation) (lockStep, bool) {
	fence := o.Fence
	if o.Op == "lock" && o.Result == resultRefused {
		fence = o.HeldBy
	}
	said := map[string]string{"renew ok": "stands", "check ok": "stands", "lock refused": "stands", "renew lost": "gone", "check lost": "gone"}[o.Op+" "+o.Result]
	if said != "" && name.byFence[fence] != nil {
		return lockStep{kind: said, fence: fence, note: fmt.Sprintf("%s of %s: fence %d %s", o.Op, o.who(), fence, said)}, true
	}
	if o.Op == "show" && o.Result == resultOK {
		var shown []int64
		for _, each := range o.Holders {
			if name.byFence[each] != nil {
				shown = append(shown, each)
			}
		}
		slices.Sort(shown)
		return lockStep{kind: "shown", shown: slices.Compact(shown), note: fmt.Sprintf("show of %s: held with %v", o.who(), o.Holders)}, true
	}
	return lockStep{}, false
}
