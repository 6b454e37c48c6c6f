module tidings.example/interop/v1

go 1.13

require github.com/micro/go-micro v1.18.0

// A program that generates code: nothing of it is needed, and it is no longer served.
replace github.com/micro/protoc-gen-micro => ./protoc-gen-micro
