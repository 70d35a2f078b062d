module example.com/spam

go 1.24
