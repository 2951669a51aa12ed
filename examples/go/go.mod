module edo.example/go

go 1.19
