// The part of jansson that TensorCoding uses.
#pragma once
#include <jansson.h>
