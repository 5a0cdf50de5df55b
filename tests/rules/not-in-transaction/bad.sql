-- one transaction
CREATE DATABASE elsewhere;
