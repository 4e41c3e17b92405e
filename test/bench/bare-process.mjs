// The control of start and memory: a process that loads the packages which every service stands on, and does nothing.
import 'reflect-metadata';
import '@nestjs/common';
import '@nestjs/core';
import '@nestjs/microservices';
import 'typeorm';
import 'pg';
import 'ioredis';
import 'prom-client';
import 'pino';

process.stdout.write('ready\n');
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0));
