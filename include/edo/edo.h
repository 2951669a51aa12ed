/* All of edo. edo/features.h lists the modules that were built. */
#pragma once

#include <edo/features.h>

#include <edo/async.h>
#include <edo/base.h>
#include <edo/blocking.h>
#include <edo/dump.h>
#include <edo/future.h>
#include <edo/metrics.h>
#include <edo/runtime.h>
#include <edo/scope.h>
#include <edo/task.h>
#include <edo/time.h>
#include <edo/timers.h>
#include <edo/try.h>
#include <edo/wait.h>
#include <edo/within.h>

#if EDO_HAS_SYNC
#include <edo/sync.h>
#endif
#if EDO_HAS_FIBERS
#include <edo/fiber.h>
#endif
#if EDO_HAS_IO
#include <edo/clocks.h>
#include <edo/io.h>
#include <edo/pipe.h>
#include <edo/stdio.h>
#include <edo/terminal.h>
#endif
#if EDO_HAS_STREAM
#include <edo/buffered.h>
#include <edo/bytes.h>
#include <edo/copy.h>
#include <edo/lent.h>
#include <edo/streams.h>
#include <edo/zero_copy.h>
#endif
#if EDO_HAS_FS
#include <edo/dir.h>
#include <edo/file.h>
#include <edo/watch_files.h>
#endif
#if EDO_HAS_NET
#include <edo/address.h>
#include <edo/inherit.h>
#include <edo/message.h>
#include <edo/net.h>
#include <edo/socket.h>
#include <edo/udp.h>
#include <edo/unix.h>
#endif
#if EDO_HAS_PROCESS
#include <edo/process.h>
#include <edo/signal.h>
#endif
#if EDO_HAS_SEQUENCE
#include <edo/combinators.h>
#include <edo/retry.h>
#include <edo/sequence.h>
#include <edo/sink.h>
#include <edo/sources.h>
#include <edo/together.h>
#endif
#if EDO_HAS_CODEC
#include <edo/codec.h>
#endif
#if EDO_HAS_SEQUENCE && EDO_HAS_IO
#include <edo/stream_io.h>
#endif
#if EDO_HAS_CODEC && EDO_HAS_NET
#include <edo/udp_frames.h>
#endif
