package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	connectTimeout = time.Second
	answerTimeout  = 2500 * time.Millisecond // above every WAIT
)

var (
	password string
	// errNoContact: nobody answered in time. What was asked may have been done.
	errNoContact = errors.New("no contact")
)

func shortPause() time.Duration { return 20*time.Millisecond + rand.N(280*time.Millisecond) }

// line is one connection to one of the members; when it breaks the next one is asked the same.
type line struct {
	servers  []string
	timeout  time.Duration
	greeting []any
	client   *redis.Client
	once     bool // the latest request was said once
}

func newLine(servers []string, timeout time.Duration) *line {
	return &line{servers: append([]string{}, servers...), timeout: timeout}
}

// ask says it until there is an answer; at most until the time given, which is asked for after each try in vain. A first
// patience above zero: the first try is given up so soon, whether it waits for an answer or not.
func (l *line) ask(until func() time.Duration, first time.Duration, command ...any) (any, error) {
	for l.once = true; ; l.once = false {
		answer, err := l.try(first, command)
		first = 0
		if err == nil || errors.Is(err, redis.Nil) {
			return answer, nil
		}
		var refusal redis.Error
		refused := errors.As(err, &refusal)
		takenOver := refused && strings.Contains(err.Error(), "(taken over)") // by an ATTACH of our own that came late
		if refused && !takenOver && code(err) != "NOQUORUM" && code(err) != "UNKNOWN" {
			return nil, err
		}
		if bootClock() > until() {
			l.once = false
			return nil, errors.Join(errNoContact, err)
		}
		l.next()
		time.Sleep(shortPause())
	}
}

func (l *line) try(patience time.Duration, command []any) (any, error) {
	if l.client == nil {
		l.client = redis.NewClient(l.options())
	}
	ctx := context.Background()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return l.client.Do(ctx, command...).Result()
}

func (l *line) options() *redis.Options {
	return &redis.Options{
		// One connection, and no second try behind our back: each connection says first who it is.
		Addr: l.servers[0], Password: password, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		DialTimeout: min(connectTimeout, l.timeout), ReadTimeout: l.timeout, WriteTimeout: l.timeout, PoolTimeout: l.timeout,
		OnConnect: func(ctx context.Context, connection *redis.Conn) error {
			if l.greeting == nil {
				return nil
			}
			return connection.Process(ctx, redis.NewCmd(ctx, l.greeting...))
		},
	}
}

func (l *line) next() {
	l.close()
	l.servers = append(l.servers[1:], l.servers[0])
}

func (l *line) close() {
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}

// code is the first word of an error that a server answered.
func code(err error) string {
	word, _, _ := strings.Cut(err.Error(), " ")
	return word
}
