package main

import (
	"sync"

	"go-micro.dev/v4/registry"
)

// fixed is a registry that knows what is registered in its process, or what it was told at first: the processes of the bench
// know each other's addresses, and nothing is sent to the network to find out.
type fixed struct {
	mutex    sync.Mutex
	services []*registry.Service
}

func (f *fixed) Init(...registry.Option) error                                    { return nil }
func (f *fixed) Options() registry.Options                                        { return registry.Options{} }
func (f *fixed) String() string                                                   { return "fixed" }
func (f *fixed) Deregister(*registry.Service, ...registry.DeregisterOption) error { return nil }

func (f *fixed) Register(service *registry.Service, _ ...registry.RegisterOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, known := range f.services {
		if known.Nodes[0].Id == service.Nodes[0].Id {
			return nil
		}
	}
	f.services = append(f.services, service)
	return nil
}

// GetService answers as go-micro's own registries do: the nodes of one version are one record.
func (f *fixed) GetService(name string, _ ...registry.GetOption) ([]*registry.Service, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var found *registry.Service
	for _, service := range f.services {
		if service.Name != name {
			continue
		}
		if found == nil {
			found = &registry.Service{Name: service.Name, Version: service.Version}
		}
		found.Nodes = append(found.Nodes, service.Nodes...)
	}
	if found == nil {
		return nil, registry.ErrNotFound
	}
	return []*registry.Service{found}, nil
}

func (f *fixed) ListServices(...registry.ListOption) ([]*registry.Service, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.services, nil
}

func (f *fixed) Watch(...registry.WatchOption) (registry.Watcher, error) {
	return &unchanging{over: make(chan struct{})}, nil
}

// unchanging watches what never changes.
type unchanging struct {
	over chan struct{}
	once sync.Once
}

func (u *unchanging) Next() (*registry.Result, error) {
	<-u.over
	return nil, registry.ErrWatcherStopped
}

func (u *unchanging) Stop() { u.once.Do(func() { close(u.over) }) }
