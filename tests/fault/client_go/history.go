package main

import (
	"encoding/json"
	"maps"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

func read(clock int32) time.Duration {
	var at unix.Timespec
	if err := unix.ClockGettime(clock, &at); err != nil {
		panic(err)
	}
	return time.Duration(at.Nano())
}

// What all histories count in.
func monotonic() time.Duration { return read(unix.CLOCK_MONOTONIC) }

// A clock that NTP does not slew and that goes on while the machine sleeps: for deadlines (docs/recipes/go.md).
func bootClock() time.Duration {
	return read(unix.CLOCK_MONOTONIC_RAW) + read(unix.CLOCK_BOOTTIME) - read(unix.CLOCK_MONOTONIC)
}

// A time of the boot clock in nanoseconds of CLOCK_MONOTONIC. Read in this order, a pause between the two makes it too early, never
// too late.
func asMonotonic(deadline time.Duration) int64 {
	here := monotonic()
	return int64(here + deadline - bootClock())
}

type fields map[string]any

// history is a file that one process after the other appends to: a line before a request is sent, and one when its answer is there.
type history struct {
	file       *os.File
	client     string
	operations atomic.Int64
}

func openHistory(path, client string) (*history, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	last := []byte{'\n'}
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		if _, err := file.ReadAt(last, info.Size()-1); err != nil {
			return nil, err
		}
	}
	if last[0] != '\n' { // the process before was killed in the middle of a line
		if _, err := file.Write([]byte{'\n'}); err != nil {
			return nil, err
		}
	}
	return &history{file: file, client: client}, nil
}

func (h *history) write(line fields) {
	text, err := json.Marshal(line)
	if err == nil {
		_, err = h.file.Write(append(text, '\n'))
	}
	if err != nil {
		panic(err) // what can't be noted must not be done
	}
}

// operation is one that has begun.
type operation struct {
	history *history
	fields  fields
}

// call notes that an operation begins. The caller sends it after that.
func (h *history) call(op, name string, more fields) operation {
	line := maps.Clone(more)
	if line == nil {
		line = fields{}
	}
	line["op"], line["name"], line["id"] = op, name, h.operations.Add(1)
	line["client"], line["process"], line["phase"] = h.client, os.Getpid(), "call"
	line["call_ns"] = int64(monotonic())
	h.write(line)
	return operation{h, line}
}

func (o operation) done(result string, more fields) string {
	o.fields["return_ns"] = int64(monotonic())
	o.fields["phase"], o.fields["result"] = "return", result
	maps.Copy(o.fields, more)
	o.history.write(o.fields)
	return result
}

// toldLost notes that the service told of a loss.
func (h *history) toldLost(g *grant, why string) {
	at := int64(monotonic())
	h.write(fields{"op": "loss", "name": g.name, "fence": g.fence, "deadline_ns": g.deadlineNS(), "why": why, "client": h.client,
		"process": os.Getpid(), "phase": "return", "result": "lost", "call_ns": at, "return_ns": at})
}
