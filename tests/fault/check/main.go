// Judges what the clients of a fault campaign noted: did the service do what it promises? It shares nothing with the service but
// the promises (docs/guarantees.md), and knows nothing of the faults. How it thinks, and what it can't see: docs/proof.md.
//
//	check [--fences on|off] [--register FILE] [--pictures FOLDER] [--timeout 60s] [--least 0.9] HISTORY...
//
// Prints the verdict as JSON. Status 0: clean; 1: not; 2: the files can't be read.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

type options struct {
	fences   bool
	pictures string
	limit    time.Duration // of each partition
	least    float64       // share of operations whose outcome must be known
	workers  int
}

// check judges a history. log: the register's own, in its order.
func check(history *History, log []RegisterWrite, o options) *Report {
	started := time.Now()
	report := newReport(history.Begin())
	report.count(history)
	names := sortOut(history, report)
	writes := map[string][]RegisterWrite{}
	for _, w := range log {
		writes[w.Name] = append(writes[w.Name], w)
	}
	clients := map[string]int{}
	client := func(o *Operation) int {
		key := fmt.Sprint(o.Client, o.Process)
		if _, seen := clients[key]; !seen {
			clients[key] = len(clients)
		}
		return clients[key]
	}
	model := registerModel(o.fences)
	var partitions []partition
	for _, name := range names {
		sweep(name, report)
		updates(name, writes[name.Name], o.fences, report)
		if o.fences {
			believers(name, report)
		}
		partitions = append(partitions, partition{"lock", name.Name, lockModel, lockSteps(name, client)}, partition{"register", name.Name, model, registerSteps(name, client)})
	}
	sweepRevisions(history, report)
	search(partitions, o.workers, o.limit, o.pictures, report)
	slices.Sort(report.TimedOut)
	report.judge(o.least)
	report.Seconds = time.Since(started).Seconds()
	return report
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "check:", err)
	os.Exit(2)
}

func main() {
	fences := flag.String("fences", "on", "off: the register took everything")
	register := flag.String("register", "", "the register's log")
	o := options{workers: runtime.NumCPU()}
	flag.StringVar(&o.pictures, "pictures", "", "a folder for Porcupine's picture of what it could not explain")
	flag.DurationVar(&o.limit, "timeout", time.Minute, "the longest search of one partition; not decided in it is not clean")
	flag.Float64Var(&o.least, "least", 0.9, "the least share of operations whose outcome is known")
	flag.Parse()
	o.fences = *fences != "off"
	history := newHistory()
	for i, path := range flag.Args() {
		if err := history.Load(i, path); err != nil {
			fail(err)
		}
	}
	history.Finish()
	var log []RegisterWrite
	if *register == "" {
		fail(fmt.Errorf("--register FILE, the register's own log, is missing"))
	}
	log, err := loadRegister(*register)
	if err != nil {
		fail(err)
	}
	report := check(history, log, o)
	output := json.NewEncoder(os.Stdout)
	output.SetIndent("", " ")
	if err := output.Encode(report); err != nil {
		fail(err)
	}
	if !report.Clean {
		os.Exit(1)
	}
}
