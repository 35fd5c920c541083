package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, lines ...string) (*History, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	history := newHistory()
	err := history.Load(0, path)
	history.Finish()
	return history, err
}

const (
	call    = `{"phase":"call","client":"a","process":1,"id":1,"op":"lock","name":"n","mode":"X","call_ns":5}`
	answer  = `{"phase":"return","client":"a","process":1,"id":1,"op":"lock","name":"n","mode":"X","call_ns":5,"return_ns":9,"result":"ok","fence":3,"deadline_ns":99}`
	another = `{"phase":"call","client":"a","process":2,"id":1,"op":"unlock","name":"n","fence":3,"call_ns":20}`
)

func TestAnOperationIsItsTwoLines(t *testing.T) {
	history, err := load(t, call, answer, another)
	if err != nil || len(history.Operations) != 2 {
		t.Fatal(err, len(history.Operations))
	}
	lock, unlock := history.Operations[0], history.Operations[1]
	if lock.Result != resultOK || lock.Return != 9 || lock.Fence != 3 || lock.Deadline != 99 {
		t.Errorf("%+v", lock)
	}
	// A process that was killed leaves it open: unknown, for ever.
	if unlock.Result != resultUnknown || unlock.Return != never {
		t.Errorf("%+v", unlock)
	}
}

func TestAKilledProcessMayLeaveHalfALine(t *testing.T) {
	for _, lines := range [][]string{{call, answer[:40]}, {call, answer[:40], another}} {
		if history, err := load(t, lines...); err != nil || history.Torn != 1 {
			t.Error(err, history.Torn)
		}
	}
}

func TestWhatCanNotBeReadIsNoHistory(t *testing.T) {
	for _, lines := range [][]string{
		{call, "{", answer},
		{answer},
		{call, call},
		{call, answer, answer},
		{strings.Replace(call, "lock", "steal", 1)},
		{call, strings.Replace(answer, `"ok"`, `"fine"`, 1)},
		{call, strings.Replace(answer, `"fence":3`, `"fence":0`, 1)},
		{call, strings.Replace(answer, `"return_ns":9`, `"return_ns":4`, 1)},
	} {
		if _, err := load(t, lines...); err == nil {
			t.Errorf("taken: %q", lines)
		}
	}
}
