// A go-micro peer for the interop tests: it does what lines of JSON on its standard input say, and tells on its standard
// output, a line of JSON each, what came of it. What differs between versions of go-micro is in the micro.go of each.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"
)

// Order is what services exchange as JSON.
type Order struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
	Data []byte `json:"data"`
}

// Command is one line of the input.
type Command struct {
	Do      string            `json:"do"`
	ID      string            `json:"id"`
	Topic   string            `json:"topic"`
	Queue   string            `json:"queue"`
	Type    string            `json:"type"`
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Header  map[string]string `json:"header"`
	Bodies  [][]byte          `json:"bodies"`
	// PauseMicros is waited after each message: go-micro's http broker loses what comes faster than it sends.
	PauseMicros int             `json:"pauseMicros"`
	Service     json.RawMessage `json:"service"`
}

// Line is one line of the output.
type Line struct {
	Event   string            `json:"event"`
	ID      string            `json:"id,omitempty"`
	Topic   string            `json:"topic,omitempty"`
	Header  map[string]string `json:"header,omitempty"`
	Body    []byte            `json:"body,omitempty"`
	Detail  string            `json:"detail,omitempty"`
	Action  string            `json:"action,omitempty"`
	Service interface{}       `json:"service,omitempty"`
}

var output sync.Mutex

func tell(line Line) {
	text, err := json.Marshal(line)
	if err != nil {
		text = []byte(fmt.Sprintf(`{"event":"error","detail":%q}`, err))
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func check(id string, err error) bool {
	if err != nil {
		tell(Line{Event: "error", ID: id, Detail: err.Error()})
	}
	return err == nil
}

type peer struct {
	broker   Broker
	registry Registry
	service  Service
	stop     context.CancelFunc
	done     chan error
	subs     map[string]Subscriber
}

func main() {
	kind := flag.String("broker", "http", "http, nats or rabbitmq")
	address := flag.String("address", "", "where the broker is, or listens")
	ca := flag.String("ca", "", "PEM file of the authority that both sides trust; empty: no TLS")
	cert := flag.String("cert", "", "PEM file of the certificate")
	key := flag.String("key", "", "PEM file of its key")
	// go-micro reads the command line as well, where it is asked to.
	flag.Parse()
	os.Args = os.Args[:1]

	p := &peer{registry: newRegistry(), subs: map[string]Subscriber{}}
	security, err := mutualTLS(*ca, *cert, *key)
	if !check("", err) {
		os.Exit(1)
	}
	p.broker = newBroker(*kind, *address, p.registry, security)
	tell(Line{Event: "ready", Detail: version})

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var c Command
		if check("", json.Unmarshal(lines.Bytes(), &c)) && p.run(c) {
			tell(Line{Event: "done", ID: c.ID, Detail: c.Do})
		}
	}
	p.end()
}

// mutualTLS is what a server and a client of the same authority need.
func mutualTLS(ca string, cert string, key string) (*tls.Config, error) {
	if ca == "" {
		return nil, nil
	}
	authority, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}

func (p *peer) run(c Command) bool {
	switch c.Do {
	case "connect":
		return check(c.ID, p.broker.Init()) && check(c.ID, p.broker.Connect())
	case "subscribe":
		sub, err := subscribe(p.broker, c.Topic, c.Queue, func(e Event) error {
			tell(Line{Event: "message", ID: c.ID, Topic: e.Topic(), Header: e.Message().Header, Body: e.Message().Body})
			return nil
		})
		p.subs[c.ID] = sub
		return check(c.ID, err)
	case "unsubscribe":
		return check(c.ID, p.subs[c.ID].Unsubscribe())
	case "publish":
		for _, body := range c.Bodies {
			if !check(c.ID, p.broker.Publish(c.Topic, &Message{Header: c.Header, Body: body})) {
				return false
			}
			time.Sleep(time.Duration(c.PauseMicros) * time.Microsecond)
		}
		return true
	case "service":
		p.service = newService(c.Name, c.Version, p.broker, p.registry)
		return true
	case "handle":
		return p.handle(c)
	case "start":
		ctx, stop := context.WithCancel(context.Background())
		p.stop, p.done = stop, make(chan error, 1)
		started := make(chan struct{})
		runService(p.service, ctx, func() { close(started) }, p.done)
		select {
		case <-started:
			return true
		case err := <-p.done:
			p.stop = nil
			return check(c.ID, err)
		}
	case "stop":
		p.stop()
		p.stop = nil
		return check(c.ID, <-p.done)
	case "send":
		return p.send(c)
	case "register", "deregister":
		return check(c.ID, changeRecord(p.registry, c.Service, c.Do == "register"))
	case "get":
		found, err := p.registry.GetService(c.Name)
		tell(Line{Event: "services", ID: c.ID, Service: found})
		return check(c.ID, err)
	case "list":
		found, err := p.registry.ListServices()
		tell(Line{Event: "services", ID: c.ID, Service: found})
		return check(c.ID, err)
	case "watch":
		watcher, err := p.registry.Watch()
		if !check(c.ID, err) {
			return false
		}
		go func() {
			for {
				result, err := watcher.Next()
				if err != nil {
					return
				}
				tell(Line{Event: "change", ID: c.ID, Action: result.Action, Service: result.Service})
			}
		}()
		return true
	}
	return check(c.ID, fmt.Errorf("no such command: %s", c.Do))
}

// Handlers has two methods that both handle a message.
type Handlers struct{ id string }

// First is one of them.
func (h *Handlers) First(ctx context.Context, order *Order) error {
	return handled(ctx, h.id+".First", order)
}

// Second is the other.
func (h *Handlers) Second(ctx context.Context, order *Order) error {
	return handled(ctx, h.id+".Second", order)
}

func handled(ctx context.Context, id string, value interface{}) error {
	var body []byte
	switch v := value.(type) {
	case *Order:
		body, _ = json.Marshal(v)
	case *Text:
		body = []byte(v.GetValue())
	case *Frame:
		body = v.Data
	}
	tell(Line{Event: "message", ID: id, Header: metadataOf(ctx), Body: body})
	return nil
}

func (p *peer) handle(c Command) bool {
	var handler interface{}
	switch c.Type {
	case "object":
		handler = &Handlers{c.ID}
	case "json":
		handler = func(ctx context.Context, order *Order) error { return handled(ctx, c.ID, order) }
	case "protobuf":
		handler = func(ctx context.Context, text *Text) error { return handled(ctx, c.ID, text) }
	case "bytes":
		handler = func(ctx context.Context, frame *Frame) error { return handled(ctx, c.ID, frame) }
	}
	return check(c.ID, registerSubscriber(p.service, c.Topic, handler, c.Queue))
}

func (p *peer) send(c Command) bool {
	ctx := withMetadata(context.Background(), c.Header)
	for _, body := range c.Bodies {
		var value interface{}
		switch c.Type {
		case "application/json":
			order := &Order{}
			if !check(c.ID, json.Unmarshal(body, order)) {
				return false
			}
			value = order
		case "application/octet-stream":
			value = &Frame{Data: body}
		default:
			value = newText(string(body))
		}
		if !check(c.ID, publish(p.service, ctx, c.Topic, value, c.Type)) {
			return false
		}
		time.Sleep(time.Duration(c.PauseMicros) * time.Microsecond)
	}
	return true
}

func (p *peer) end() {
	if p.stop != nil {
		p.stop()
		<-p.done
	}
	for _, sub := range p.subs {
		if sub != nil {
			sub.Unsubscribe()
		}
	}
	p.broker.Disconnect()
}
