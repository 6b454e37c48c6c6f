package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/broker"
)

// lostAfter is how long a message may take before it counts as lost: its topic is used again then.
const lostAfter = 2 * time.Second

const askAgainAfter = time.Millisecond

type sender struct {
	broker  broker.Broker
	free    []chan struct{}
	arrived atomic.Int64
}

// startSender tells where it hears of topics that are free again.
func startSender(topics int) side {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	s := &sender{free: make([]chan struct{}, topics)}
	for number := range s.free {
		s.free[number] = make(chan struct{}, 1)
	}
	go s.listen(listener)
	tell(Line{Event: "ready", Detail: listener.Addr().String()})
	return s
}

func (s *sender) listen(listener net.Listener) {
	connection, err := listener.Accept()
	must(err)
	input := bufio.NewReader(connection)
	number := make([]byte, topicBytes)
	for {
		if _, err := io.ReadFull(input, number); err != nil {
			return
		}
		s.arrived.Add(1)
		select {
		case s.free[binary.LittleEndian.Uint16(number)] <- struct{}{}:
		default:
			// A message that had been given up came after all.
		}
	}
}

func (s *sender) act(command Command) Line {
	startedAt := time.Now()
	switch command.Do {
	case "connect":
		registry := &fixed{}
		must(json.Unmarshal([]byte(command.Nodes), &registry.services))
		s.broker = broker.NewBroker(broker.Registry(registry))
		must(s.broker.Init())
		must(s.broker.Connect())
	case "run":
		s.run(command.Count, command.BodyBytes, command.Window)
	case "pace":
		s.pace(command.Count, command.BodyBytes, command.Rate)
	}
	return Line{TookMs: float64(time.Since(startedAt).Nanoseconds()) / nanosecondsPerMs}
}

// run publishes so many messages, with a window of topics, one of each at a time.
func (s *sender) run(count int, bodyBytes int, window int) {
	body := make([]byte, bodyBytes)
	numbers := make(chan int, count)
	for n := 0; n < count; n++ {
		numbers <- n
	}
	close(numbers)
	var all sync.WaitGroup
	for number := 0; number < window; number++ {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			s.forget(number)
			for range numbers {
				must(s.broker.Publish(topicOf(number), &broker.Message{Body: body}))
				s.wait(number, lostAfter)
			}
		}(number)
	}
	all.Wait()
}

// pace publishes so many messages at a rate, to one topic after the other, and waits until they have come.
func (s *sender) pace(count int, bodyBytes int, rate int) {
	s.arrived.Store(0)
	startedAt := time.Now()
	for n := 0; n < count; n++ {
		time.Sleep(time.Until(startedAt.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		body := make([]byte, bodyBytes)
		binary.LittleEndian.PutUint64(body, uint64(time.Now().UnixNano()))
		must(s.broker.Publish(topicOf(n%len(s.free)), &broker.Message{Body: body}))
	}
	end := time.Now().Add(lostAfter)
	for s.arrived.Load() < int64(count) && time.Now().Before(end) {
		time.Sleep(askAgainAfter)
	}
}

func (s *sender) wait(number int, longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-s.free[number]:
	case <-timer.C:
	}
}

// forget takes away what an earlier message left.
func (s *sender) forget(number int) {
	select {
	case <-s.free[number]:
	default:
	}
}
