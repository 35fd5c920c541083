// Load on etcd as its users lock with it: concurrency.Mutex, one client and session each. Prints one line of JSON, as
// bench/pair_driver.c does.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"
)

var (
	endpoints = flag.String("endpoints", "", "HOST:PORT,... of the members to ask; the leader's alone is fastest")
	clients   = flag.Int("connections", 50, "clients, each with a connection and a session of its own")
	seconds   = flag.Float64("seconds", 2, "how long is measured")
	warmup    = flag.Float64("warmup", 0.5, "seconds before that")
	oneName   = flag.Bool("one-name", false, "all take the same name in turn, not each its own")
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
}

// What one client saw between begin and end.
type seen struct {
	pairs int
	takes []time.Duration
}

func run(number int, ready *sync.WaitGroup, start <-chan struct{}) seen {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: strings.Split(*endpoints, ","), DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	check(err)
	defer client.Close()
	session, err := concurrency.NewSession(client, concurrency.WithTTL(60))
	check(err)
	name := "/bench/one"
	if !*oneName {
		name = fmt.Sprintf("/bench/%d", number)
	}
	mutex := concurrency.NewMutex(session, name)
	ready.Done()
	<-start
	begin := time.Now().Add(time.Duration(*warmup * 1e9))
	end := begin.Add(time.Duration(*seconds * 1e9))
	ctx, cancel := context.WithDeadline(context.Background(), end.Add(time.Minute))
	defer cancel()
	var s seen
	for {
		asked := time.Now()
		if asked.After(end) {
			return s
		}
		check(mutex.Lock(ctx))
		taken := time.Now()
		check(mutex.Unlock(ctx))
		if asked.After(begin) && time.Now().Before(end) {
			s.pairs++
			s.takes = append(s.takes, taken.Sub(asked))
		}
	}
}

func main() {
	flag.Parse()
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	all := make([]seen, *clients)
	for i := range all {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			all[i] = run(i, &ready, start)
		}()
	}
	ready.Wait()
	close(start)
	done.Wait()
	var pairs int
	var takes []time.Duration
	for _, s := range all {
		pairs += s.pairs
		takes = append(takes, s.takes...)
	}
	if len(takes) == 0 {
		check(fmt.Errorf("no pair was done in %g s", *seconds))
	}
	slices.Sort(takes)
	at := func(share float64) float64 { return float64(takes[int(share*float64(len(takes)-1))]) / 1e3 }
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"pairs_per_s": float64(pairs) / *seconds, "take": map[string]float64{"p50_us": at(0.5), "p99_us": at(0.99)}}))
}
