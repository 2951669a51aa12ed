/* Sets of inputs, from which merges, maps of streams, zips and buffers pull.
 *
 *     IDLE ------ pulled: an answer --------> HELD
 *     IDLE ------ pulled: it waits ---------> WAITING
 *     WAITING --- woken or due, pulled -----> HELD, or WAITING again
 *     HELD ------ answer taken by the owner -> IDLE; at the end of the input: REMOVED
 *
 * IDLE and HELD inputs are in the queue `ready`, and take turns there. A WAITING input is in no
 * queue until its waker is called. So an answer costs the same with any number of waiting inputs. A
 * WAITING input whose pull ran out of budget returns to the queue by itself.
 *
 * Wakes. An input's waker is called on any thread, by operations that the input has in flight. The
 * first wake sets `is_woken`, adds the input to the list `woken` under the lock of the set, and
 * wakes the set's `waker`. The task takes the list. The task clears `is_woken` of each input before
 * it pulls the input. If a wake comes after the clear, it adds the input again. If a wake comes
 * before the clear, the pull sees everything that preceded the wake: both the wake and the clear
 * exchange the value of `is_woken` with acquire and release. All other members belong to the task.
 *
 * While a pull of the set is in progress, `waker` is the waker of that pull. Otherwise `waker` is
 * the waker of the function's poll (hold.h). `waker` is replaced under the lock, as in a relay. */
#pragma once

#include "sequence/hold.h"
#include "sequence/pull.h"

enum { EDO__INPUT_REMOVED, EDO__INPUT_IDLE, EDO__INPUT_WAITING, EDO__INPUT_HELD };

/* Takes the next answer: pulls ready inputs until one answers.
 * Returns: the input that has answered, HELD and in no queue. NULL: no input has answered, and
 * *ret_result is the answer of the set: EDO_NEXT_WAITS, -ECANCELED, or 0 if the set has no
 * inputs. */
edo__input *edo__set_take(edo__set *set, edo_cx *cx, int64_t *ret_result);

/* Puts an input back into the queue, after its answer was used. An input that has ended leaves the
 * set instead. */
void edo__set_give_back(edo__set *set, edo__input *input);

/* Moves an input that keeps its answer to the end of the queue. */
void edo__set_put_aside(edo__set *set, edo__input *input);

/* Sets the set's waker to the waker of the function's poll. Called before the set answers. */
void edo__set_rest(edo__set *set);

/* A step of the set between two pulls. If the poll's fate is EDO_LIVE, pulls woken inputs.
 * Otherwise ends all operations in flight. Returns: whether nothing is in flight. */
bool edo__set_tend(edo__set *set, edo_cx *cx);

/* Drops the items of HELD inputs. Called when the set ends. */
void edo__set_drop(edo__set *set);
