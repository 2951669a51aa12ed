/* Contexts of sys/fiber.h: tests that hold for every way to switch. Included once per program. */
#pragma once

#include "support/cases.h"

#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include "sys/fiber.h"

enum { STACK_SIZE = 256 << 10, ROUNDS = 1000 };

/* Two contexts: the test's, and one on a stack of its own. */
static struct pair {
    char *stack;
    void *test, *other;
    void (*body)(void);
    int64_t value;
    bool is_over;
} pair;

enum { TO_TEST = 0x123456789A, TO_OTHER = -7 }; // values that go along

static void go_on(void)
{
    assert_int_equal(edo__sys_context_switch(&pair.test, pair.other, TO_OTHER), TO_TEST);
}

/* Not inlined: a switch by ucontext has a frame of 1 KiB, which dive() would repeat. */
static __attribute__((noinline)) void go_back(void)
{
    if (edo__sys_context_switch(&pair.other, pair.test, TO_TEST) != TO_OTHER) abort();
}

static void run_body(void *arg)
{
    assert_ptr_equal(arg, &pair);
    pair.body();
    pair.is_over = true;
    go_back();
}

static void begin(void (*body)(void))
{
    pair.stack = malloc(STACK_SIZE);
    memset(pair.stack, 0xA5, STACK_SIZE);
    pair.is_over = false;
    pair.value = 0;
    pair.body = body;
    pair.other = edo__sys_context_make(pair.stack + STACK_SIZE, run_body, &pair);
}

static void end(void)
{
    assert_true(pair.is_over);
    free(pair.stack);
}

/* ---- values that lie in registers ---- */

static __attribute__((noinline)) int64_t sum_across_switches(void (*leave)(void), int64_t seed)
{
    int64_t a = seed + 1, b = seed * 3, c = seed ^ 5, d = seed - 7, e = seed | 9, f = seed + 11;
    double x = (double)seed * 0.5, y = (double)seed + 0.25;
    for (int i = 0; i < ROUNDS; i++) {
        leave();
        a += b, b += c, c += d, d += e, e += f, f += i;
        x += 1, y += x;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ (int64_t)x ^ (int64_t)y;
}

static void stay(void)
{
    __asm__ volatile("" ::: "memory");
}

static void sum_there(void)
{
    pair.value = sum_across_switches(go_back, 17);
}

test(values_in_registers_are_kept_on_both_sides)
{
    begin(sum_there);
    int64_t here = sum_across_switches(go_on, 4711);
    assert_int_equal(here, sum_across_switches(stay, 4711));
    go_on();
    assert_int_equal(pair.value, sum_across_switches(stay, 17));
    end();
}

#ifdef __x86_64__
/* Loads all callee-saved registers, makes the switch, and reports the registers that have changed. */
static __attribute__((noinline)) uint64_t changed_registers(void (*call)(void), uint64_t seed)
{
    uint64_t changed = seed;
    __asm__ volatile("pushq %%rbp\n\t"
                     "subq $136, %%rsp\n\t" // the red zone, and alignment
                     "movq %[seed], (%%rsp)\n\t"
                     "leaq 1(%[seed]), %%rbx\n\t"
                     "leaq 2(%[seed]), %%r12\n\t"
                     "leaq 3(%[seed]), %%r13\n\t"
                     "leaq 4(%[seed]), %%r14\n\t"
                     "leaq 5(%[seed]), %%r15\n\t"
                     "leaq 6(%[seed]), %%rbp\n\t"
                     "callq *%[call]\n\t"
                     "movq (%%rsp), %%rax\n\t"
                     "subq %%rax, %%rbx\n\t subq $1, %%rbx\n\t"
                     "subq %%rax, %%r12\n\t subq $2, %%r12\n\t"
                     "subq %%rax, %%r13\n\t subq $3, %%r13\n\t"
                     "subq %%rax, %%r14\n\t subq $4, %%r14\n\t"
                     "subq %%rax, %%r15\n\t subq $5, %%r15\n\t"
                     "subq %%rax, %%rbp\n\t subq $6, %%rbp\n\t"
                     "orq %%rbp, %%rbx\n\t orq %%r12, %%rbx\n\t orq %%r13, %%rbx\n\t"
                     "orq %%r14, %%rbx\n\t orq %%r15, %%rbx\n\t"
                     "movq %%rbx, %%rax\n\t"
                     "addq $136, %%rsp\n\t"
                     "popq %%rbp"
                     : "=&a"(changed)
                     : [seed] "D"(seed), [call] "S"(call)
                     : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "memory", "cc");
    return changed;
}

static void keep_there(void)
{
    for (int i = 0; i < ROUNDS; i++)
        pair.value |= (int64_t)changed_registers(go_back, 0x1111111111111111);
}

test(each_register_that_a_call_keeps_is_kept)
{
    begin(keep_there);
    uint64_t changed = 0;
    for (int i = 0; i < ROUNDS; i++)
        changed |= changed_registers(go_on, 0x2222222222222222);
    assert_int_equal(changed, 0);
    go_on();
    assert_int_equal(pair.value, 0);
    end();
}
#endif

/* ---- floating modes ---- */

static void round_down_there(void)
{
    pair.value = fegetround();
    fesetround(FE_DOWNWARD);
    go_back();
    pair.value = fegetround();
}

test(each_context_has_its_own_floating_modes)
{
    int before = fegetround();
    fesetround(FE_UPWARD);
    begin(round_down_there);
    go_on();
    assert_int_equal(pair.value, FE_UPWARD); // as those of its maker
    assert_int_equal(fegetround(), FE_UPWARD);
    fesetround(FE_TOWARDZERO);
    go_on();
    assert_int_equal(pair.value, FE_DOWNWARD);
    assert_int_equal(fegetround(), FE_TOWARDZERO);
    fesetround(before);
    end();
}

#ifdef __x86_64__
static uint16_t x87_control(void)
{
    uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}

static void set_x87_control(uint16_t word)
{
    __asm__ volatile("fldcw %0" : : "m"(word));
}

enum { X87_SINGLE = 0x007F, X87_EXTENDED = 0x037F }; // precision, all exceptions masked

static void single_there(void)
{
    set_x87_control(X87_SINGLE);
    go_back();
    pair.value = x87_control();
}

enum { FLUSH_TO_ZERO = 0x8000 }; // of MXCSR

static void flush_there(void)
{
    _mm_setcsr(_mm_getcsr() | FLUSH_TO_ZERO);
    go_back();
    pair.value = _mm_getcsr() & FLUSH_TO_ZERO;
}

test(mxcsr_belongs_to_a_context)
{
    begin(flush_there);
    go_on();
    assert_int_equal(_mm_getcsr() & FLUSH_TO_ZERO, 0);
    go_on();
    assert_int_equal(pair.value, FLUSH_TO_ZERO);
    assert_int_equal(_mm_getcsr() & FLUSH_TO_ZERO, 0);
    end();
}

test(the_x87_control_word_belongs_to_a_context)
{
    set_x87_control(X87_EXTENDED);
    begin(single_there);
    go_on();
    assert_int_equal(x87_control(), X87_EXTENDED);
    go_on();
    assert_int_equal(pair.value, X87_SINGLE);
    assert_int_equal(x87_control(), X87_EXTENDED);
    end();
}
#endif

/* ---- depth ---- */

static __attribute__((noinline)) int64_t dive(int depth)
{
    volatile char room[64];
    room[0] = (char)depth;
    if (depth == 0) {
        go_back();
        return 0;
    }
    return dive(depth - 1) + 1 + (room[0] != (char)depth);
}

static void dive_there(void)
{
    pair.value = dive(ROUNDS);
}

test(a_context_leaves_from_deep_calls_and_comes_back_there)
{
    begin(dive_there);
    go_on();
    assert_int_equal(pair.value, 0);
    go_on();
    assert_int_equal(pair.value, ROUNDS);
    end();
}

/* ---- alignment and formats: what uses vector instructions on an aligned stack ---- */

static void print_there(void)
{
    char text[64];
    snprintf(text, sizeof text, "%.2f %d", 1.25, 7);
    pair.value = strcmp(text, "1.25 7");
    max_align_t aligned;
    pair.value |= (int64_t)((uintptr_t)&aligned % _Alignof(max_align_t));
}

test(the_stack_of_a_new_context_is_aligned)
{
    begin(print_there);
    go_on();
    assert_int_equal(pair.value, 0);
    end();
}
