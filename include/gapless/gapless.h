/*
 * gapless/gapless.h - all of the public interface in one include.
 */
#ifndef GAPLESS_GAPLESS_H
#define GAPLESS_GAPLESS_H

#include <gapless/base.h>
#include <gapless/client.h>
#include <gapless/decision.h>
#include <gapless/engine.h>
#include <gapless/message.h>
#include <gapless/outbox.h>
#include <gapless/route.h>
#include <gapless/runner.h>
#include <gapless/sink.h>
#include <gapless/store.h>
#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_calls.h>
#include <gapless/update.h>
#include <gapless/uv.h>

#endif
