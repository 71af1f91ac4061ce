module docker-node/lab/images/agent

go 1.25
