package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// grant is a hold, by the session or by a token.
type grant struct {
	name, mode string
	fence      int64
	line       *line
	words      []any // how its holder is named in a request
	byToken    bool
	end        time.Duration // of the hold itself; zero: none
	session    *session      // nil: by a token
}

func (g *grant) deadline() time.Duration {
	switch {
	case g.session == nil:
		return g.end
	case g.end == 0:
		return g.session.untilDeadline()
	}
	return min(g.end, g.session.untilDeadline())
}

func (g *grant) deadlineNS() int64 { return asMonotonic(g.deadline()) }

func (g *grant) told() string {
	if g.session == nil {
		return ""
	}
	return g.session.told(g.fence)
}

func (g *grant) believed() bool { return g.told() == "" && bootClock() < g.deadline() }

// service is one goroutine's. Each request is one operation of the history, however often it must be said.
type service struct {
	history  *history
	servers  []string
	ttl      time.Duration
	over     func() bool // the campaign ends, ask nothing twice any more
	label    string
	session  *session
	line     *line // without a session: tokens, looking
	requests int
}

func (s *service) close() {
	if s.session != nil {
		s.session.close()
	}
	s.line.close()
}

func (s *service) patience(limit time.Duration) func() time.Duration {
	end := bootClock() + limit
	return func() time.Duration {
		if s.over() {
			return 0
		}
		return end
	}
}

func (s *service) readySession() *session {
	if s.session != nil && !s.session.usable() {
		s.session.close()
		s.session = nil
	}
	if s.session == nil {
		if opened, err := openSession(s.servers, s.ttl, s.label); err == nil {
			s.session = opened
		}
	}
	return s.session
}

// lock takes it by the session, or answers nil. again: says it a second time, with the same REQ. hasty above zero: breaks off the first
// try so soon, and says it again at another member.
func (s *service) lock(name, mode string, wait, maxHold, hasty time.Duration, again bool) *grant {
	session := s.readySession()
	if session == nil {
		return nil
	}
	s.requests++
	owner := fmt.Sprintf("%s-%d", s.label, s.requests)
	command := []any{"LOCK", name, mode, "WAIT", wait.Milliseconds(), "OWNER", owner, "FULL", "REQ", fmt.Sprintf("l%d", s.requests)}
	if maxHold > 0 {
		command = append(command, "MAXHOLD", maxHold.Milliseconds())
	}
	known := fields{"mode": mode, "wait_ms": wait.Milliseconds(), "owner": owner, "req": fmt.Sprintf("%v/l%d", session.id, s.requests)}
	until := func() time.Duration {
		if s.over() {
			return 0
		}
		return session.untilDeadline()
	}
	operation := s.history.call("lock", name, known)
	sent := bootClock()
	answer, granted := decided(operation, func() (any, error) { return session.line.ask(until, hasty, command...) })
	if !granted {
		return nil
	}
	g := &grant{name: name, mode: mode, fence: answer["fence"].(int64), line: session.line, words: []any{"OWNER", owner}, session: session}
	if maxHold > 0 {
		g.end = sent + maxHold + time.Duration(answer["waited_ms"].(int64))*time.Millisecond
	}
	operation.done("ok", fields{"fence": g.fence, "deadline_ns": g.deadlineNS(), "waited_ms": answer["waited_ms"]})
	if again {
		known["again"] = true
		repetition := s.history.call("lock", name, known)
		if answer, granted := decided(repetition, func() (any, error) { return session.line.ask(until, 0, command...) }); granted {
			repetition.done("ok", fields{"fence": answer["fence"], "deadline_ns": g.deadlineNS()})
		}
	}
	return g
}

func (s *service) lockByToken(name, mode string, wait, hasty time.Duration) *grant {
	token := rand.Text()
	command := []any{"LOCK", name, mode, "TOKEN", token, "TTL", s.ttl.Milliseconds(), "WAIT", wait.Milliseconds(), "FULL"}
	operation := s.history.call("lock", name, fields{"mode": mode, "wait_ms": wait.Milliseconds(), "token": token})
	sent := bootClock()
	answer, granted := decided(operation, func() (any, error) { return s.line.ask(s.patience(8*time.Second), hasty, command...) })
	if !granted {
		// It may have been granted in silence. Nothing was believed, so nothing is noted.
		_, _ = s.line.ask(func() time.Duration { return 0 }, 0, "UNLOCK", name, "TOKEN", token)
		return nil
	}
	g := &grant{name: name, mode: mode, fence: answer["fence"].(int64), line: s.line, words: []any{"TOKEN", token}, end: sent + s.ttl}
	if s.line.once {
		g.end += time.Duration(answer["waited_ms"].(int64)) * time.Millisecond
	}
	operation.done("ok", fields{"fence": g.fence, "deadline_ns": g.deadlineNS(), "waited_ms": answer["waited_ms"]})
	return g
}

// decided answers the map of a LOCK that was granted; else it notes what it was.
func decided(operation operation, ask func() (any, error)) (map[any]any, bool) {
	reply, err := ask()
	if err != nil {
		result := "unknown"
		if refused(err) {
			// Nothing was done, and nothing is wrong with the request; or there must not be such an answer.
			result = "wrong"
			if slices.Contains([]string{"NOSESSION", "LIMIT", "DISKFULL"}, code(err)) {
				result = "refused"
			}
		}
		operation.done(result, fields{"why": err.Error()})
		return nil, false
	}
	answer := reply.(map[any]any)
	if answer["granted"].(bool) {
		return answer, true
	}
	more := fields{"why": answer["why"]}
	if holder, held := answer["holder"].(map[any]any); held {
		more["held_by"] = holder["fence"]
	}
	operation.done("refused", more)
	return nil, false
}

// refused: a server has answered with an error.
func refused(err error) bool {
	var refusal redis.Error
	return !errors.Is(err, errNoContact) && errors.As(err, &refusal)
}

// endTold is what an error of UNLOCK or RENEW says of the hold.
func endTold(err error) string {
	switch {
	case !refused(err):
		return "unknown"
	case slices.Contains([]string{"NOTHELD", "EXPIRED", "REVOKED", "STALE", "NOSESSION"}, code(err)):
		return "lost"
	}
	return "wrong"
}

func (s *service) unlock(g *grant) {
	operation := s.history.call("unlock", g.name, fields{"fence": g.fence, "mode": g.mode, "deadline_ns": g.deadlineNS()})
	command := slices.Concat([]any{"UNLOCK", g.name}, g.words, []any{"FENCE", g.fence})
	if g.session != nil {
		command = append(command, "REQ", fmt.Sprintf("u%d", s.requests))
	}
	left, err := g.line.ask(s.patience(8*time.Second), 0, command...)
	result := "ok"
	switch {
	case err != nil:
		result = endTold(err)
	case left == nil:
		result = "lost"
	case left.(int64) != 0:
		operation.done("wrong", fields{"why": fmt.Sprintf("depth %d is left", left)})
		return
	}
	// Said twice, the first may have done it, and what it was answered is forgotten: nil, or the session's end, says only that it
	// is gone.
	if result == "lost" && !g.line.once {
		result = "gone"
	}
	more := fields{}
	if err != nil {
		more["why"] = err.Error()
	}
	operation.done(result, more)
}

func (s *service) renew(g *grant) {
	operation := s.history.call("renew", g.name, fields{"fence": g.fence, "deadline_ns": g.deadlineNS()})
	sent := bootClock()
	command := slices.Concat([]any{"RENEW", g.name, "TTL", s.ttl.Milliseconds()}, g.words, []any{"FENCE", g.fence})
	left, err := g.line.ask(s.patience(4*time.Second), 0, command...)
	switch {
	case err != nil:
		operation.done(endTold(err), fields{"why": err.Error()})
	case left == nil:
		operation.done("lost", nil)
	default:
		g.end = max(g.end, sent+s.ttl)
		operation.done("ok", fields{"deadline_ns": g.deadlineNS()})
	}
}

func (s *service) check(g *grant) {
	operation := s.history.call("check", g.name, fields{"fence": g.fence, "deadline_ns": g.deadlineNS()})
	live, err := s.line.ask(s.patience(3*time.Second), 0, "CHECK", g.name, "FENCE", g.fence)
	result := map[any]string{int64(1): "ok", int64(0): "lost"}[live]
	if err != nil || result == "" {
		result = "unknown"
	}
	operation.done(result, nil)
}

func (s *service) show(name string) {
	operation := s.history.call("show", name, nil)
	reply, err := s.line.ask(s.patience(3*time.Second), 0, "SHOW", name)
	shown, isMap := reply.(map[any]any)
	if err != nil || !isMap || shown["cursor"] != nil {
		operation.done("unknown", nil)
		return
	}
	of := func(list, key string) []any {
		found := []any{}
		for _, each := range shown[list].([]any) {
			found = append(found, each.(map[any]any)[key])
		}
		return found
	}
	operation.done("ok", fields{"revision": shown["revision"], "holders": of("holders", "fence"), "waiters": of("waiters", "owner")})
}
