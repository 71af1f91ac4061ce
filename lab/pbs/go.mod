module docker-node/lab/pbs

go 1.25
