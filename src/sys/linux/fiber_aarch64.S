/* Contexts of sys/fiber.h on aarch64. Layout, with offsets from the saved stack pointer:
 *
 *      0  x19 to x30
 *     96  d8 to d15
 *    160  FPCR
 *
 * FPCR is written only if the value changes, because a write waits until the pipeline is empty. All
 * contexts have the same layout, so the same unwind rules are valid before and after the change of
 * the stack pointer. */
#ifdef __aarch64__

#define LANDING hint 34 /* bti c; no effect on processors without BTI */
#define FRAME   176

    .text

/* int64_t edo__sys_context_switch(void **ret_from, void *to, int64_t value) */
    .globl edo__sys_context_switch
    .hidden edo__sys_context_switch
    .type edo__sys_context_switch, %function
    .p2align 4
    .globl edo__sys_context_enter
    .hidden edo__sys_context_enter
    .type edo__sys_context_enter, %function
edo__sys_context_enter:
edo__sys_context_switch:
    .cfi_startproc
    LANDING
    sub sp, sp, FRAME
    .cfi_def_cfa_offset FRAME
    stp x19, x20, [sp, 0]
    stp x21, x22, [sp, 16]
    stp x23, x24, [sp, 32]
    stp x25, x26, [sp, 48]
    stp x27, x28, [sp, 64]
    stp x29, x30, [sp, 80]
    stp d8, d9, [sp, 96]
    stp d10, d11, [sp, 112]
    stp d12, d13, [sp, 128]
    stp d14, d15, [sp, 144]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    mrs x9, fpcr
    str x9, [sp, 160]
    mov x10, sp
    str x10, [x0]
    mov x0, x2
    mov sp, x1
    ldr x10, [sp, 160]
    cmp x9, x10
    b.eq 1f
    msr fpcr, x10
1:
    ldp x19, x20, [sp, 0]
    ldp x21, x22, [sp, 16]
    ldp x23, x24, [sp, 32]
    ldp x25, x26, [sp, 48]
    ldp x27, x28, [sp, 64]
    ldp x29, x30, [sp, 80]
    ldp d8, d9, [sp, 96]
    ldp d10, d11, [sp, 112]
    ldp d12, d13, [sp, 128]
    ldp d14, d15, [sp, 144]
    add sp, sp, FRAME
    .cfi_def_cfa_offset 0
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size edo__sys_context_switch, . - edo__sys_context_switch

/* First code of a context. Calls x19(x20). The undefined return address ends backtraces here. */
    .type start, %function
    .p2align 4
start:
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk 1
    .cfi_endproc
    .size start, . - start

/* void *edo__sys_context_make(void *top, void (*entry)(void *), void *arg) */
    .globl edo__sys_context_make
    .hidden edo__sys_context_make
    .type edo__sys_context_make, %function
    .p2align 4
edo__sys_context_make:
    .cfi_startproc
    LANDING
    and x0, x0, -16
    sub x0, x0, FRAME
    stp x1, x2, [x0, 0]
    stp xzr, xzr, [x0, 16]
    stp xzr, xzr, [x0, 32]
    stp xzr, xzr, [x0, 48]
    stp xzr, xzr, [x0, 64]
    adr x9, start
    stp xzr, x9, [x0, 80]
    stp xzr, xzr, [x0, 96]
    stp xzr, xzr, [x0, 112]
    stp xzr, xzr, [x0, 128]
    stp xzr, xzr, [x0, 144]
    mrs x9, fpcr
    stp x9, xzr, [x0, 160]
    ret
    .cfi_endproc
    .size edo__sys_context_make, . - edo__sys_context_make

/* bool edo__sys_has_shadow_stack(void) */
    .globl edo__sys_has_shadow_stack
    .hidden edo__sys_has_shadow_stack
    .type edo__sys_has_shadow_stack, %function
    .p2align 4
edo__sys_has_shadow_stack:
    .cfi_startproc
    LANDING
    mov w0, 0
    ret
    .cfi_endproc
    .size edo__sys_has_shadow_stack, . - edo__sys_has_shadow_stack

#endif

    .section .note.GNU-stack, "", %progbits
