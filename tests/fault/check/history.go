package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
)

// never is the time at which an operation returned of which nobody heard any more.
const never = math.MaxInt64

// Results of operations, as the clients note them.
const (
	resultOK      = "ok"
	resultRefused = "refused" // a LOCK: not granted, and nothing is held
	resultStale   = "stale"   // the register: a greater fence was here
	resultLost    = "lost"    // the service: that is not held any more, and it was not this request which ended it
	resultGone    = "gone"    // an UNLOCK: it is not held any more, perhaps by this very request; behind the deadline: its holder knows no more of it
	resultUnknown = "unknown" // perhaps done, perhaps not
	resultWrong   = "wrong"   // an answer that there must not be
)

// Operation is one request of a client, however often it had to be said. Times: nanoseconds of CLOCK_MONOTONIC.
type Operation struct {
	Phase    string   `json:"phase"`
	Client   string   `json:"client"`
	Process  int      `json:"process"`
	ID       int64    `json:"id"`
	Op       string   `json:"op"` // lock, unlock, renew, check, show, read, write; and loss: it was told of one
	Name     string   `json:"name"`
	Mode     string   `json:"mode"`  // X or S
	Owner    string   `json:"owner"` // of a lock: what SHOW calls the one who waits; no two locks have the same
	Req      string   `json:"req"`   // of a lock, with its session
	Again    bool     `json:"again"` // the same request once more, after its answer
	Token    string   `json:"token"` // of a lock: by a token; the same again while it is held is the same hold
	Call     int64    `json:"call_ns"`
	Return   int64    `json:"return_ns"`
	Result   string   `json:"result"`
	Why      string   `json:"why"`
	Fence    int64    `json:"fence"`
	Deadline int64    `json:"deadline_ns"` // until when its holder may believe in it, as known then
	HeldBy   int64    `json:"held_by"`     // of a refused lock: the fence of who held it
	Revision int64    `json:"revision"`
	Holders  []int64  `json:"holders"` // of a show: fences
	Waiters  []string `json:"waiters"` // of a show: owners, in their order
	Value    int64    `json:"value"`   // of the register: written or read
	Version  int64    `json:"version"` // that it then had
	Base     int64    `json:"base"`    // of a write: the version that was read before it
}

func (o *Operation) definite() bool { return o.Result != resultUnknown }

func (o *Operation) who() string { return fmt.Sprintf("%s (process %d)", o.Client, o.Process) }

var known = map[string][]string{
	"lock":   {resultOK, resultRefused, resultUnknown, resultWrong},
	"unlock": {resultOK, resultLost, resultGone, resultUnknown, resultWrong},
	"renew":  {resultOK, resultLost, resultUnknown, resultWrong},
	"check":  {resultOK, resultLost, resultUnknown},
	"show":   {resultOK, resultUnknown},
	"read":   {resultOK, resultStale, resultUnknown},
	"write":  {resultOK, resultStale, resultUnknown},
	"loss":   {resultLost},
}

type operationKey struct {
	file, process int
	id            int64
}

// History is what all clients noted.
type History struct {
	Operations []*Operation // in the order of their calls
	Losses     []*Operation
	Torn       int // lines that were cut off by the end of a process
	open       map[operationKey]*Operation
}

func newHistory() *History { return &History{open: map[operationKey]*Operation{}} }

// Load reads one client's file: several processes may have written it, one after the other.
func (h *History) Load(number int, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	process, torn := 0, 0
	for at := 1; lines.Scan(); at++ {
		line := &Operation{}
		if err := json.Unmarshal(lines.Bytes(), line); err != nil {
			torn = at
			continue
		}
		// A process that is killed may leave half a line, which then is its last.
		if torn != 0 && line.Process == process {
			return fmt.Errorf("%s: line %d is no JSON", path, torn)
		}
		if torn != 0 {
			h.Torn++
		}
		process, torn = line.Process, 0
		if err := h.add(number, line); err != nil {
			return fmt.Errorf("%s: line %d: %w", path, at, err)
		}
	}
	if torn != 0 {
		h.Torn++
	}
	return lines.Err()
}

func (h *History) add(number int, line *Operation) error {
	if line.Op == "loss" {
		h.Losses = append(h.Losses, line)
		return nil
	}
	key := operationKey{number, line.Process, line.ID}
	begun := h.open[key]
	switch {
	case known[line.Op] == nil:
		return fmt.Errorf("no operation is called %q", line.Op)
	case line.Phase == "call" && begun == nil:
		line.Result, line.Return = resultUnknown, never
		h.open[key] = line
		h.Operations = append(h.Operations, line)
	case line.Phase == "return" && begun != nil && begun.Op == line.Op && begun.Call == line.Call && line.Return >= line.Call:
		if !slices.Contains(known[line.Op], line.Result) {
			return fmt.Errorf("%s can't be %q", line.Op, line.Result)
		}
		if line.Result == resultUnknown {
			line.Return = never // it may still happen
		}
		if line.Op == "lock" && line.Result == resultOK && line.Fence <= 0 {
			return fmt.Errorf("granted without a fence")
		}
		*begun = *line
		delete(h.open, key)
	default:
		return fmt.Errorf("%s %d: a return without its call, or one of the two twice", line.Op, line.ID)
	}
	return nil
}

// Finish puts the operations in order. Call it after all files.
func (h *History) Finish() {
	slices.SortStableFunc(h.Operations, func(a, b *Operation) int { return cmp.Compare(a.Call, b.Call) })
}

// Begin is the time that messages count from.
func (h *History) Begin() int64 {
	if len(h.Operations) == 0 {
		return 0
	}
	return h.Operations[0].Call
}

// RegisterWrite is a line of the register's own log: a write that it took.
type RegisterWrite struct {
	At      int64  `json:"at_ns"`
	Name    string `json:"name"`
	Fence   int64  `json:"fence"`
	Value   int64  `json:"value"`
	Version int64  `json:"version"`
	Base    int64  `json:"base"`
}

func loadRegister(path string) ([]RegisterWrite, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var writes []RegisterWrite
	for line := range bytes.Lines(text) {
		var write RegisterWrite
		if err := json.Unmarshal(line, &write); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, len(writes)+1, err)
		}
		writes = append(writes, write)
	}
	return writes, nil
}
