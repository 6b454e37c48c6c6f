package main

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"sync"
	"time"

	"go-micro.dev/v4/broker"
)

const nanosecondsPerMs = 1e6

// topicBytes is how long a topic's number is on the connection beside the broker.
const topicBytes = 2

type receiver struct {
	mutex     sync.Mutex
	handled   int
	measures  bool
	latencies []float64
}

// startReceiver subscribes to every topic, and tells the nodes that it registered.
func startReceiver(beside string, topics int) side {
	connection, err := net.Dial("tcp", beside)
	must(err)
	registry := &fixed{}
	b := broker.NewBroker(broker.Registry(registry))
	must(b.Init())
	must(b.Connect())
	r := &receiver{}
	for number := 0; number < topics; number++ {
		free := make([]byte, topicBytes)
		binary.LittleEndian.PutUint16(free, uint16(number))
		_, err := b.Subscribe(topicOf(number), func(event broker.Event) error {
			r.count(event.Message().Body)
			_, err := connection.Write(free)
			return err
		})
		must(err)
	}
	nodes, err := json.Marshal(registry.services)
	must(err)
	tell(Line{Event: "ready", Detail: string(nodes)})
	return r
}

func (r *receiver) count(body []byte) {
	now := time.Now().UnixNano()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.handled++
	if r.measures {
		// What a run that measures none left behind has no stamp.
		if sentAt := int64(binary.LittleEndian.Uint64(body)); sentAt > 0 {
			r.latencies = append(r.latencies, float64(now-sentAt)/nanosecondsPerMs)
		}
	}
}

// act tells what has come, and starts anew where that is what is asked for.
func (r *receiver) act(command Command) Line {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	line := Line{Handled: r.handled, Latencies: r.latencies}
	if command.Do == "begin" {
		r.handled, r.measures, r.latencies = 0, command.Measures, []float64{}
	}
	return line
}
