package main

import "fmt"

// Violation is something that Cleat promises not to happen.
type Violation struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// ClientCount says how much of the history is one client's.
type ClientCount struct {
	Operations int `json:"operations"`
	Definite   int `json:"definite"`
}

// Report is the verdict.
type Report struct {
	Clean      bool        `json:"clean"`
	Why        string      `json:"why"` // it is not clean; for people
	Violations []Violation `json:"violations"`
	Found      int         `json:"violations_found"` // Violations has the first of them
	// Operations counts all, Definite those whose outcome is known; and the same of locks alone, without the register.
	Operations     int `json:"operations"`
	Definite       int `json:"definite"`
	LockOperations int `json:"lock_operations"`
	LockDefinite   int `json:"lock_definite"`
	// Acknowledged counts writes that were answered ok; LostUpdates those of them that a later one overwrote without having read them.
	Acknowledged int                     `json:"acknowledged_updates"`
	LostUpdates  int                     `json:"lost_updates"`
	FirstLost    string                  `json:"first_lost_update,omitempty"`
	Partitions   int                     `json:"partitions"`
	Largest      int                     `json:"largest_partition"`
	TimedOut     []string                `json:"timed_out"` // partitions that could not be decided in time
	Counts       map[string]int          `json:"counts"`
	Clients      map[string]*ClientCount `json:"clients"`
	Pictures     []string                `json:"pictures"`
	Seconds      float64                 `json:"seconds"`

	begin int64
}

const violationsKept = 50

func newReport(begin int64) *Report {
	return &Report{begin: begin, Violations: []Violation{}, TimedOut: []string{}, Pictures: []string{}, Counts: map[string]int{}, Clients: map[string]*ClientCount{}}
}

func (r *Report) add(kind, name, format string, more ...any) {
	r.Found++
	if len(r.Violations) < violationsKept {
		r.Violations = append(r.Violations, Violation{kind, name, fmt.Sprintf("%s, name %s: ", kind, name) + fmt.Sprintf(format, more...)})
	}
}

// at is a time as messages tell it: since the first operation of all.
func (r *Report) at(ns int64) string {
	if ns == never {
		return "no time"
	}
	return fmt.Sprintf("%.6f s", float64(ns-r.begin)/1e9)
}

func (r *Report) count(history *History) {
	for _, o := range history.Operations {
		client := r.Clients[o.Client]
		if client == nil {
			client = &ClientCount{}
			r.Clients[o.Client] = client
		}
		definite := 0
		if o.definite() {
			definite = 1
		}
		client.Operations++
		client.Definite += definite
		r.Operations++
		r.Definite += definite
		if o.Op != "read" && o.Op != "write" {
			r.LockOperations++
			r.LockDefinite += definite
		}
		r.Counts[o.Op+" "+o.Result]++
		if o.Op == "lock" && o.Result == resultOK {
			r.countGrant(o)
		}
	}
	r.Counts["losses told"] = len(history.Losses)
	r.Counts["lines torn"] = history.Torn
}

func (r *Report) countGrant(o *Operation) {
	for what, so := range map[string]bool{"granted shared": o.Mode == "S", "granted to tokens": o.Token != "", "asked again": o.Again} {
		if so {
			r.Counts[what]++
		}
	}
}

// judge decides whether it is clean.
func (r *Report) judge(least float64) {
	switch {
	case r.Found > 0:
		r.Why = fmt.Sprintf("%d violations", r.Found)
	case len(r.TimedOut) > 0:
		r.Why = fmt.Sprintf("%d names could not be decided in time", len(r.TimedOut))
	case r.Counts["lock ok"] == 0 || r.Acknowledged == 0:
		r.Why = "nothing was locked, or nothing written: the check is empty"
	case float64(r.Definite) < least*float64(r.Operations) || float64(r.LockDefinite) < least*float64(r.LockOperations):
		r.Why = fmt.Sprintf("the outcome of %d of %d operations (of locks %d of %d) is known, which is less than %.0f%%: the check is empty", r.Definite,
			r.Operations, r.LockDefinite, r.LockOperations, 100*least)
	default:
		r.Clean = true
	}
}
