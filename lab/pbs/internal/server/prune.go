package server

import (
	"fmt"
	"slices"
	"time"

	"docker-node/lab/pbs/internal/format"
)

// keepRules in the order they apply, with what makes two snapshots one period's.
var keepRules = []struct {
	name   string
	period func(time.Time) string
}{
	{"keep-last", func(t time.Time) string { return fmt.Sprint(t.Unix()) }},
	{"keep-hourly", func(t time.Time) string { return t.Format("2006/01/02/15") }},
	{"keep-daily", func(t time.Time) string { return t.Format("2006/01/02") }},
	{"keep-weekly", func(t time.Time) string { year, week := t.ISOWeek(); return fmt.Sprint(year, "/", week) }},
	{"keep-monthly", func(t time.Time) string { return t.Format("2006/01") }},
	{"keep-yearly", func(t time.Time) string { return t.Format("2006") }},
}

// keep tells which snapshots stay. Each rule keeps the newest of each of its periods; it leaves alone what an
// earlier rule has decided, and periods an earlier rule kept something of. Without a rule, all stay.
func keep(list []format.Snapshot, rules map[string]int) map[format.Snapshot]bool {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b format.Snapshot) int { return int(b.Time - a.Time) })
	decided, any := map[format.Snapshot]bool{}, false
	for _, rule := range keepRules {
		if count := rules[rule.name]; count > 0 {
			any = true
			decide(decided, list, count, func(s format.Snapshot) string { return rule.period(time.Unix(s.Time, 0)) })
		}
	}
	for _, s := range list {
		decided[s] = decided[s] || !any
	}
	return decided
}

// decide applies one rule, which keeps something of count periods, to a list that has the newest first.
func decide(decided map[format.Snapshot]bool, list []format.Snapshot, count int, periodOf func(format.Snapshot) string) {
	covered, own := map[string]bool{}, map[string]bool{}
	for _, s := range list {
		if decided[s] {
			covered[periodOf(s)] = true
		}
	}
	for _, s := range list {
		period := periodOf(s)
		if _, done := decided[s]; done || covered[period] {
			continue
		}
		if own[period] {
			decided[s] = false
			continue
		}
		if len(own) >= count {
			break
		}
		own[period], decided[s] = true, true
	}
}
