package main

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// The register of one name: an atomic one that refuses a smaller fence than it has seen of somebody whom the lock excludes.
// What is not known to have been done may be done at any time from then on, or never; where it comes too late it changes nothing.
type registerState struct {
	value, version int64
	writer, reader int64 // the greatest fences seen
}

func (s registerState) refuses(o *Operation) bool {
	if o.Op == "read" && o.Mode == "S" {
		return o.Fence < s.writer
	}
	return o.Fence < max(s.writer, s.reader)
}

func (s registerState) after(o *Operation) registerState {
	if o.Op == "read" && o.Mode == "S" {
		s.reader = max(s.reader, o.Fence)
	} else {
		s.writer = max(s.writer, o.Fence)
	}
	if o.Op == "write" {
		s.value, s.version = o.Value, s.version+1
	}
	return s
}

func (s registerState) String() string {
	return fmt.Sprintf("value %d, version %d, fences seen %d (shared %d)", s.value, s.version, s.writer, s.reader)
}

func (s registerState) step(o *Operation, fences bool) (bool, registerState) {
	refused := fences && s.refuses(o)
	switch o.Result {
	case resultStale:
		return refused, s
	case resultUnknown:
		if refused {
			return true, s
		}
		return true, s.after(o)
	}
	next := s.after(o)
	// What it answered: the value and version that it had for a read, the version that it got for a write.
	right := next.version == o.Version && next.value == o.Value
	return !refused && right, next
}

func describeRegister(input, _ any) string {
	o := input.(*Operation)
	return fmt.Sprintf("%s of %s, fence %d: %s, value %d, version %d", o.Op, o.who(), o.Fence, o.Result, o.Value, o.Version)
}

func registerModel(fences bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return registerState{} },
		Step: func(state, input, _ any) (bool, any) {
			return state.(registerState).step(input.(*Operation), fences)
		},
		DescribeOperation: describeRegister,
		DescribeState:     func(state any) string { return state.(registerState).String() },
	}
}

func registerSteps(name *Name, client func(*Operation) int) []porcupine.Operation {
	var steps []porcupine.Operation
	for _, o := range name.Register {
		steps = append(steps, porcupine.Operation{ClientId: client(o), Input: o, Call: o.Call, Return: o.Return})
	}
	return steps
}

// updates looks at what the writes did to each other: an update is lost when a later one overwrites it whose writer had not read
// it. With the fence check on there are none, whatever happened to the holders.
func updates(name *Name, log []RegisterWrite, fences bool, report *Report) {
	acknowledged := map[int64]*Operation{} // by version
	for _, o := range name.Register {
		if o.Op == "write" && o.Result == resultOK {
			acknowledged[o.Version] = o
			report.Acknowledged++
		}
	}
	took := map[int64]bool{}
	lost := map[int64]bool{}
	for _, w := range log {
		took[w.Version] = true
		for version := w.Base + 1; version < w.Version; version++ {
			if o := acknowledged[version]; o != nil && !lost[version] {
				lost[version] = true
				name.onLost(o, w, fences, report)
			}
		}
	}
	for version, o := range acknowledged {
		if !took[version] {
			report.add("lost write", name.Name, "version %d (value %d, fence %d) was acknowledged to %s at %s, and the register's log has no such write", version,
				o.Value, o.Fence, o.who(), report.at(o.Return))
		}
	}
}

func (n *Name) onLost(o *Operation, by RegisterWrite, fences bool, report *Report) {
	report.LostUpdates++
	message := fmt.Sprintf("version %d (value %d), acknowledged to %s with fence %d at %s, was overwritten by version %d (value %d), which had read version %d", o.Version,
		o.Value, o.who(), o.Fence, report.at(o.Return), by.Version, by.Value, by.Base)
	if hold := n.byFence[by.Fence]; hold != nil {
		message += fmt.Sprintf(", of %s, at %s; its deadline was %s", hold, report.at(by.At), report.at(hold.Deadline))
	}
	if fences {
		report.add("lost update", n.Name, "%s", message)
	} else if report.FirstLost == "" {
		report.FirstLost = n.Name + ": " + message
	}
}

// believers: who reckons that nobody else may have the lock must not be refused by the register, and of two readers of one
// shared hold the second sees what the first saw.
func believers(name *Name, report *Report) {
	read := map[int64]*Operation{} // by fence of a shared hold, the latest
	for _, o := range name.Register {
		believed := o.Return < o.Deadline
		if hold := name.byFence[o.Fence]; hold != nil && hold.Told != nil && hold.Told.Return <= o.Call {
			believed = false
		}
		if o.Result == resultStale && believed {
			report.add("refused a believer", name.Name, "the register refused the %s of %s with fence %d at %s: it had seen a greater one; its deadline was %s", o.Op, o.who(),
				o.Fence, report.at(o.Return), report.at(o.Deadline))
		}
		if o.Op != "read" || o.Mode != "S" || o.Result != resultOK {
			continue
		}
		if first := read[o.Fence]; first != nil && believed && first.Version != o.Version {
			report.add("changed under a reader", name.Name, "%s read version %d at %s and version %d at %s, both under its shared hold with fence %d", o.who(),
				first.Version, report.at(first.Return), o.Version, report.at(o.Return), o.Fence)
		}
		read[o.Fence] = o
	}
}
