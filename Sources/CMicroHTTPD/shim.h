// What Swift cannot import from libmicrohttpd (variadic functions, macros) and the Linux calls of an event loop.
#pragma once
#include <microhttpd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
