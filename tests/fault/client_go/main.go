// A program of the campaign: its goroutines lock with go-redis as the recipe does, and change what the locks guard. What it does, and
// its options, are those of client_py/client.py.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	epoch      = 30 * time.Second // new names so often, in all clients alike: what the checker must look at in one piece stays small
	crowdEvery = 10 * time.Second // so often, and for so long, all want the same name, and stand in line
	crowdTime  = time.Second
	endTime    = 13 * time.Second
)

type worker struct {
	history  *history
	service  *service
	register *register
	random   *rand.Rand
	names    int
	ttl      time.Duration
	think    time.Duration
	over     context.Context // ends when the program is to end
}

func (w *worker) chance(share float64) bool { return w.random.Float64() < share }

func (w *worker) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.random.Int64N(int64(most-least)))
}

func (w *worker) turn() {
	now := monotonic()
	index, looks := 0, 0.3
	if now%crowdEvery >= crowdTime {
		looks = 0.05
		if !w.chance(0.1) {
			index = w.random.IntN(w.names)
		}
	}
	name := fmt.Sprintf("n%d-%d", index, now/epoch)
	if w.chance(looks) {
		w.service.show(name)
	}
	mode := "X"
	if w.chance(0.2) {
		mode = "S"
	}
	var wait, hasty, maxHold time.Duration
	if !w.chance(0.2) {
		wait = w.between(100*time.Millisecond, 1500*time.Millisecond)
	}
	if w.chance(0.1) {
		hasty = w.between(time.Millisecond, 100*time.Millisecond)
	}
	var g *grant
	if w.chance(0.25) {
		g = w.service.lockByToken(name, mode, wait, hasty)
	} else {
		if w.chance(0.1) {
			maxHold = w.between(500*time.Millisecond, 2*w.ttl)
		}
		g = w.service.lock(name, mode, wait, maxHold, hasty, w.chance(0.08))
	}
	if g == nil {
		return
	}
	w.hold(g)
	if why := g.told(); why != "" {
		w.history.toldLost(g, why)
	}
	w.service.unlock(g)
}

// Most stop when they may not believe any more to hold it; some go on, and then the register must refuse them.
func (w *worker) hold(g *grant) {
	overstays := g.session == nil && w.chance(0.02) // it renews nothing, looks at no clock, and takes too long
	careless := overstays || w.chance(0.15)
	value, version, known := w.read(g)
	for range 1 + w.random.IntN(2) {
		w.work(overstays)
		if w.chance(0.1) {
			w.service.check(g)
		}
		if g.session == nil && !overstays && w.chance(0.4) {
			w.service.renew(g)
		}
		if !known || !careless && !g.believed() {
			return
		}
		if g.mode == "X" {
			value, version, known = w.write(g, value, version)
		} else {
			value, version, known = w.read(g)
		}
	}
}

func (w *worker) work(overstays bool) {
	kind := w.random.Float64()
	switch {
	case kind < 0.005 || overstays:
		w.pause(w.between(w.ttl*21/20, 2*w.ttl)) // longer than any lease that is not renewed
	case kind < 0.03:
		w.pause(w.between(0, w.ttl/2))
	default:
		w.pause(w.between(0, 15*time.Millisecond))
	}
}

func (w *worker) pause(d time.Duration) {
	select {
	case <-w.over.Done():
	case <-time.After(d):
	}
}

func result(answer []string) string {
	if answer == nil {
		return "unknown"
	}
	return answer[0]
}

func (w *worker) read(g *grant) (value, version int64, known bool) {
	operation := w.history.call("read", g.name, fields{"fence": g.fence, "mode": g.mode, "deadline_ns": g.deadlineNS()})
	answer := w.register.ask("read", g.name, g.mode, g.fence)
	if result(answer) != "ok" {
		operation.done(result(answer), nil)
		return 0, 0, false
	}
	found := numbers(answer)
	operation.done("ok", fields{"value": found[0], "version": found[1]})
	return found[0], found[1], true
}

func (w *worker) write(g *grant, value, version int64) (int64, int64, bool) {
	operation := w.history.call("write", g.name, fields{"fence": g.fence, "value": value + 1, "base": version, "deadline_ns": g.deadlineNS()})
	answer := w.register.ask("write", g.name, g.fence, value+1, version)
	if result(answer) != "ok" {
		operation.done(result(answer), nil)
		return 0, 0, false
	}
	found := numbers(answer)
	operation.done("ok", fields{"version": found[0]})
	return value + 1, found[0], true
}

func main() {
	servers := flag.String("servers", "", "HOST:PORT,...")
	passwordFile := flag.String("password-file", "", "")
	registerAt := flag.String("register", "", "HOST:PORT")
	names := flag.Int("names", 8, "")
	client := flag.String("client", "go", "what the history calls it")
	path := flag.String("history", "", "a file to append to")
	seed := flag.Uint64("seed", 0, "")
	ttl := flag.Int("ttl-ms", 2000, "")
	threads := flag.Int("threads", 3, "")
	think := flag.Int("think-ms", 80, "mean pause between two locks")
	flag.Parse()
	if *passwordFile != "" {
		text, err := os.ReadFile(*passwordFile)
		if err != nil {
			panic(err)
		}
		password = strings.TrimSpace(string(text))
	}
	noted, err := openHistory(*path, *client)
	if err != nil {
		panic(err)
	}
	over, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	isOver := func() bool { return over.Err() != nil }
	var workers sync.WaitGroup
	for number := range *threads {
		ms := time.Millisecond
		all := strings.Split(*servers, ",")
		w := &worker{history: noted, register: &register{address: *registerAt}, random: rand.New(rand.NewPCG(*seed, uint64(number))), names: *names,
			ttl: time.Duration(*ttl) * ms, think: time.Duration(*think) * ms, over: over}
		w.service = &service{history: noted, servers: all, ttl: w.ttl, over: isOver, label: fmt.Sprintf("%s-%d-%d", *client, os.Getpid(), number),
			line: newLine(all, answerTimeout)}
		workers.Go(func() {
			for !isOver() {
				w.pause(min(time.Duration(w.random.ExpFloat64()*float64(w.think)), time.Second))
				w.turn()
			}
			w.service.close()
			w.register.close()
		})
	}
	<-over.Done()
	finished := make(chan struct{})
	go func() {
		workers.Wait()
		close(finished)
	}()
	select { // what has not ended stays open in the history: unknown
	case <-finished:
	case <-time.After(endTime):
	}
}
