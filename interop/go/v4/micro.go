// What the peer takes from go-micro v4.10.2.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"

	"github.com/go-micro/plugins/v4/broker/nats"
	"github.com/go-micro/plugins/v4/broker/rabbitmq"
	"github.com/go-micro/plugins/v4/server/grpc"
	"github.com/golang/protobuf/ptypes/wrappers"
	micro "go-micro.dev/v4"
	"go-micro.dev/v4/broker"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/codec/bytes"
	"go-micro.dev/v4/metadata"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
)

const version = "v4.10.2"

type (
	Broker     = broker.Broker
	Event      = broker.Event
	Message    = broker.Message
	Subscriber = broker.Subscriber
	Registry   = registry.Registry
	Service    = micro.Service
	Text       = wrappers.StringValue
	Frame      = bytes.Frame
)

func newText(value string) *Text { return &Text{Value: value} }

func newRegistry() Registry { return registry.NewRegistry() }

func newBroker(kind string, address string, reg Registry, security *tls.Config) Broker {
	opts := []broker.Option{broker.Registry(reg)}
	if address != "" {
		opts = append(opts, broker.Addrs(address))
	}
	if security != nil {
		opts = append(opts, broker.Secure(true), broker.TLSConfig(security))
	}
	switch kind {
	case "nats":
		return nats.NewBroker(opts...)
	case "rabbitmq":
		return rabbitmq.NewBroker(opts...)
	}
	return broker.NewBroker(opts...)
}

func subscribe(b Broker, topic string, queue string, handler func(Event) error) (Subscriber, error) {
	if queue == "" {
		return b.Subscribe(topic, handler)
	}
	return b.Subscribe(topic, handler, broker.Queue(queue))
}

// The server of go-micro's gRPC plugin: the one of v4.10 itself hands no message to any subscriber, whoever sent it.
func newService(name string, v string, b Broker, reg Registry) Service {
	return micro.NewService(micro.Server(grpc.NewServer()), micro.Name(name), micro.Version(v),
		micro.HandleSignal(false), micro.Broker(b), micro.Registry(reg), micro.Address("127.0.0.1:0"))
}

func runService(service Service, ctx context.Context, started func(), done chan error) {
	service.Init(micro.Context(ctx), micro.AfterStart(func() error { started(); return nil }))
	go func() { done <- service.Run() }()
}

func registerSubscriber(service Service, topic string, handler interface{}, queue string) error {
	if queue == "" {
		return micro.RegisterSubscriber(topic, service.Server(), handler)
	}
	return micro.RegisterSubscriber(topic, service.Server(), handler, server.SubscriberQueue(queue))
}

func publish(service Service, ctx context.Context, topic string, value interface{}, contentType string) error {
	c := service.Client()
	return c.Publish(ctx, c.NewMessage(topic, value, client.WithMessageContentType(contentType)))
}

func withMetadata(ctx context.Context, pairs map[string]string) context.Context {
	return metadata.NewContext(ctx, metadata.Metadata(pairs))
}

func metadataOf(ctx context.Context) map[string]string {
	pairs, _ := metadata.FromContext(ctx)
	return pairs
}

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
