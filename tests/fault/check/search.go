package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// A partition is what Porcupine looks at in one piece.
type partition struct {
	what, name string
	model      porcupine.Model
	steps      []porcupine.Operation
}

// search has Porcupine decide each partition, `workers` at a time, each for so long at most.
func search(partitions []partition, workers int, limit time.Duration, pictures string, report *Report) {
	var mutex sync.Mutex
	var busy sync.WaitGroup
	next := make(chan partition)
	for range workers {
		busy.Go(func() {
			for p := range next {
				result := porcupine.CheckOperationsTimeout(p.model, p.steps, limit)
				if result == porcupine.Ok {
					continue
				}
				mutex.Lock()
				if result == porcupine.Unknown {
					report.TimedOut = append(report.TimedOut, p.what+" "+p.name)
				} else {
					p.explain(limit, pictures, report)
				}
				mutex.Unlock()
			}
		})
	}
	for _, p := range partitions {
		report.Partitions++
		report.Largest = max(report.Largest, len(p.steps))
		next <- p
	}
	close(next)
	busy.Wait()
}

// explain says how far the longest order of steps comes, and which step cannot be part of it.
func (p partition) explain(limit time.Duration, pictures string, report *Report) {
	_, info := porcupine.CheckOperationsVerbose(p.model, p.steps, limit)
	var longest []porcupine.Operation
	for _, each := range info.PartialLinearizationsOperations()[0] {
		if len(each) > len(longest) {
			longest = each
		}
	}
	state := p.model.Init()
	done := map[string]int{}
	key := func(o porcupine.Operation) string {
		return fmt.Sprint(o.Call, o.Return, p.model.DescribeOperation(o.Input, nil))
	}
	for _, o := range longest {
		_, state = p.model.Step(state, o.Input, nil)
		done[key(o)]++
	}
	var stuck *porcupine.Operation // of those left, the one that returned first: it should have been next
	for i, o := range p.steps {
		if done[key(o)] > 0 {
			done[key(o)]--
		} else if stuck == nil || o.Return < stuck.Return {
			stuck = &p.steps[i]
		}
	}
	message := "no order of its steps explains the answers"
	if stuck != nil {
		message += fmt.Sprintf("; after %d of %d there is no place for: %s, between %s and %s, where the state is: %s", len(longest), len(p.steps),
			p.model.DescribeOperation(stuck.Input, nil), report.at(stuck.Call), report.at(stuck.Return), p.model.DescribeState(state))
	}
	report.add("not linearizable ("+p.what+")", p.name, "%s", message)
	if pictures == "" || len(report.Pictures) >= 10 {
		return
	}
	path := filepath.Join(pictures, fmt.Sprintf("violation-%s-%s.html", p.what, filepath.Base(p.name)))
	if porcupine.VisualizePath(p.model, info, path) == nil {
		report.Pictures = append(report.Pictures, path)
	} else {
		os.Remove(path)
	}
}
