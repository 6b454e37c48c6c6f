// What the peer takes from go-micro v1.18.0: brokers and the registry. Its services cannot run here: they bring a QUIC
// library that ends at once under the Go versions of today.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"

	"github.com/micro/go-micro/broker"
	"github.com/micro/go-micro/broker/nats"
	"github.com/micro/go-micro/registry"
)

const version = "v1.18.0"

type (
	Broker     = broker.Broker
	Event      = broker.Event
	Message    = broker.Message
	Subscriber = broker.Subscriber
	Registry   = registry.Registry
	Service    = interface{}
	Frame      = struct{ Data []byte }
)

// Text stands for protobuf's StringValue.
type Text struct{ value string }

// GetValue returns it.
func (t *Text) GetValue() string { return t.value }

var errNoServices = errors.New("go-micro v1.18 has no services under this version of Go")

func newText(value string) *Text { return &Text{value} }

func newRegistry() Registry { return registry.NewRegistry() }

func newBroker(kind string, address string, reg Registry, security *tls.Config) Broker {
	opts := []broker.Option{broker.Registry(reg)}
	if address != "" {
		opts = append(opts, broker.Addrs(address))
	}
	if security != nil {
		opts = append(opts, broker.Secure(true), broker.TLSConfig(security))
	}
	if kind == "nats" {
		return nats.NewBroker(opts...)
	}
	return broker.NewBroker(opts...)
}

func subscribe(b Broker, topic string, queue string, handler func(Event) error) (Subscriber, error) {
	if queue == "" {
		return b.Subscribe(topic, handler)
	}
	return b.Subscribe(topic, handler, broker.Queue(queue))
}

func newService(name string, v string, b Broker, reg Registry) Service { return nil }

func runService(service Service, ctx context.Context, started func(), done chan error) {
	done <- errNoServices
}

func registerSubscriber(service Service, topic string, handler interface{}, queue string) error {
	return errNoServices
}

func publish(service Service, ctx context.Context, topic string, value interface{}, contentType string) error {
	return errNoServices
}

func withMetadata(ctx context.Context, pairs map[string]string) context.Context { return ctx }

func metadataOf(ctx context.Context) map[string]string { return nil }

func changeRecord(reg Registry, text json.RawMessage, register bool) error {
	service := new(registry.Service)
	if err := json.Unmarshal(text, service); err != nil {
		return err
	}
	if register {
		return reg.Register(service)
	}
	return reg.Deregister(service)
}
