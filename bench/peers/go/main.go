// go-micro's http broker for the bench: a process that subscribes or one that publishes. It does what lines of JSON on its
// standard input say, and tells on its standard output, a line of JSON each, what came of it.
//
// That broker's Publish returns at once and sends in the background. It waits 100 ms after each message where it finds several
// of one topic, and drops what is more than 64 of one. It is therefore used so that it loses least: every message that is under
// way has a topic of its own, and the receiver says over a connection beside the broker which topics are free again.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"syscall"
)

// Command is one line of the input.
type Command struct {
	Do        string `json:"do"`
	ID        string `json:"id"`
	Nodes     string `json:"nodes"`
	BodyBytes int    `json:"bodyBytes"`
	Count     int    `json:"count"`
	Window    int    `json:"window"`
	Rate      int    `json:"rate"`
	Measures  bool   `json:"measures"`
}

// Line is one line of the output.
type Line struct {
	Event     string    `json:"event"`
	ID        string    `json:"id,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	Handled   int       `json:"handled"`
	TookMs    float64   `json:"tookMs"`
	CPUMicros int64     `json:"cpuMicros"`
	PeakBytes int64     `json:"peakBytes"`
	Latencies []float64 `json:"latencies"`
}

// side is what a process does with a command.
type side interface {
	act(command Command) Line
}

func main() {
	beside := flag.String("beside", "", "where the sender hears of topics that are free again; empty: this is the sender")
	topics := flag.Int("topics", 1, "how many topics there are")
	flag.Parse()
	// go-micro reads the command line as well.
	os.Args = os.Args[:1]
	var one side
	if *beside == "" {
		one = startSender(*topics)
	} else {
		one = startReceiver(*beside, *topics)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var command Command
		must(json.Unmarshal(lines.Bytes(), &command))
		line := one.act(command)
		line.Event, line.ID = "figures", command.ID
		line.CPUMicros, line.PeakBytes = usage()
		tell(line)
		tell(Line{Event: "done", ID: command.ID})
	}
}

func tell(line Line) {
	text, err := json.Marshal(line)
	must(err)
	os.Stdout.Write(append(text, '\n'))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func topicOf(number int) string { return fmt.Sprintf("bench%d", number) }

// usage is the processor time since the start, in microseconds, and the most memory that the process ever had, in bytes.
func usage() (int64, int64) {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	micros := func(time syscall.Timeval) int64 { return int64(time.Sec)*1_000_000 + int64(time.Usec) }
	return micros(used.Utime) + micros(used.Stime), int64(used.Maxrss) * 1024
}
