package main

import (
	"errors"
	"strings"
	"sync"
	"time"
)

// session is the recipe's (docs/recipes/go.md), with a password: kept alive, found again at another member.
type session struct {
	id, key any
	ttl     time.Duration
	line    *line
	pulse   *line
	done    chan struct{}
	alive   sync.WaitGroup

	mutex    sync.Mutex // for what follows
	deadline time.Duration
	over     string           // why it is over
	ended    map[int64]string // by fence: why, of locks that others ended
}

func openSession(servers []string, ttl time.Duration, label string) (*session, error) {
	s := &session{ttl: ttl, done: make(chan struct{}), ended: map[int64]string{}}
	s.line = newLine(servers, answerTimeout)
	// A LOCK that waits holds up its connection, so the signs of life have one of their own.
	s.pulse = newLine(servers, ttl/6)
	sent := bootClock() // of several tries the first: too early is safe
	opened, err := s.line.ask(func() time.Duration { return sent + ttl }, 0, "SESSION", "OPEN", "TTL", ttl.Milliseconds(), "LABEL", label)
	if err != nil {
		s.line.close()
		return nil, err
	}
	answer := opened.(map[any]any)
	s.id, s.key = answer["id"], answer["key"]
	// Whatever the connection before may still deliver, late, is refused from then on.
	s.line.greeting = []any{"SESSION", "ATTACH", s.id, s.key, "TAKEOVER"}
	s.deadline = sent + ttl
	s.alive.Go(s.keepAlive)
	return s, nil
}

func (s *session) keepAlive() {
	losses, pause := int64(0), s.ttl/3
	for {
		select {
		case <-s.done:
			return
		case <-time.After(pause):
		}
		err := s.signOfLife(&losses)
		switch {
		case err == nil:
			pause = s.ttl / 3
		case errors.Is(err, errNoContact):
			s.pulse.next()
			pause = shortPause() // the next member, soon; the deadline stays where it is
		default:
			s.mutex.Lock()
			s.over = err.Error()
			s.mutex.Unlock()
			return
		}
	}
}

var errEnded = errors.New("the session ended")

func (s *session) signOfLife(losses *int64) error {
	once := func() time.Duration { return 0 }
	sent := bootClock() // a deadline counts from the sending
	// Asked once: an answer counts from this very sending, so the next try is a request of its own.
	reply, err := s.pulse.ask(once, 0, "SESSION", "KEEPALIVE", s.id, s.key)
	if err != nil {
		return err
	}
	answer, alive := reply.([]any)[0].([]any)
	if !alive {
		return errEnded
	}
	s.mutex.Lock()
	s.deadline = max(s.deadline, sent+s.ttl)
	s.mutex.Unlock()
	if answer[1].(int64) == *losses {
		return nil
	}
	shown, err := s.pulse.ask(once, 0, "SESSION", "SHOW", s.id)
	if err != nil {
		return err
	}
	if shown == nil {
		return errEnded
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, each := range shown.(map[any]any)["last_losses"].([]any) {
		loss := each.(map[any]any)
		s.ended[loss["fence"].(int64)] = loss["why"].(string)
	}
	*losses = answer[1].(int64)
	return nil
}

func (s *session) untilDeadline() time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.deadline
}

func (s *session) usable() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.over == "" && bootClock() < s.deadline
}

// told is why the hold is lost, as far as the service said so.
func (s *session) told(fence int64) string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.over == errEnded.Error() || strings.HasPrefix(s.over, "NOSESSION") {
		return s.over
	}
	return s.ended[fence]
}

// close ends the session; unheard, it ends by its TTL.
func (s *session) close() {
	close(s.done)
	s.alive.Wait()
	_, _ = s.line.ask(func() time.Duration { return 0 }, 0, "SESSION", "CLOSE")
	s.line.close()
	s.pulse.close()
}
