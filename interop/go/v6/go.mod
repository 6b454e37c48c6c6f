module tidings.example/interop/v6

go 1.25

require go-micro.dev/v6 v6.10.0
