/* Contexts of sys/fiber.h on x86-64. Layout, with offsets from the saved stack pointer:
 *
 *      0  MXCSR (4 bytes), x87 control word (2)
 *      8  r15, r14, r13, r12, rbx, rbp
 *     56  return address
 *
 * The x87 control word is loaded only if the value changes, because the load is slow. MXCSR is
 * always loaded, because a comparison would wait for the stored word and cost more than the load
 * (11.5 ns per pair of switches instead of 7.9).
 *
 * Before the change of the stack pointer, the unwind rules find the saved registers of the
 * suspended context in memory. After the change, the unwind rules find the values of the resumed
 * context in the registers. So a backtrace is correct at each instruction, even in the signal
 * handler of a profiler. */
#if defined __x86_64__ && defined __LP64__

#if defined __CET__ && (__CET__ & 1)
#define LANDING endbr64
#else
#define LANDING
#endif

    .text

/* int64_t edo__sys_context_switch(void **ret_from, void *to, int64_t value) */
    .globl edo__sys_context_switch
    .hidden edo__sys_context_switch
    .type edo__sys_context_switch, @function
    .p2align 5
    .globl edo__sys_context_enter
    .hidden edo__sys_context_enter
    .type edo__sys_context_enter, @function
edo__sys_context_enter:
edo__sys_context_switch:
    .cfi_startproc
    LANDING
    leaq -56(%rsp), %rsp
    .cfi_adjust_cfa_offset 56
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %r15, 8(%rsp)
    .cfi_rel_offset %r15, 8
    movq %r14, 16(%rsp)
    .cfi_rel_offset %r14, 16
    movq %r13, 24(%rsp)
    .cfi_rel_offset %r13, 24
    movq %r12, 32(%rsp)
    .cfi_rel_offset %r12, 32
    movq %rbx, 40(%rsp)
    .cfi_rel_offset %rbx, 40
    movq %rbp, 48(%rsp)
    .cfi_rel_offset %rbp, 48
    movq %rsp, (%rdi)
    movq %rdx, %rax
    movzwl 4(%rsp), %edx
    movq 8(%rsi), %r15
    movq 16(%rsi), %r14
    movq 24(%rsi), %r13
    movq 32(%rsi), %r12
    movq 40(%rsi), %rbx
    movq 48(%rsi), %rbp
    movq 56(%rsi), %rcx
    ldmxcsr (%rsi)
    cmpw 4(%rsi), %dx
    jne 2f
1:
    leaq 64(%rsi), %rsp /* the stack changes here */
    .cfi_remember_state
    .cfi_def_cfa_offset 0
    .cfi_register %rip, %rcx
    .cfi_restore %r15
    .cfi_restore %r14
    .cfi_restore %r13
    .cfi_restore %r12
    .cfi_restore %rbx
    .cfi_restore %rbp
    jmp *%rcx /* not ret, which the processor would predict from the calls of the old stack */
    .cfi_restore_state
2:
    fldcw 4(%rsi)
    jmp 1b
    .cfi_endproc
    .size edo__sys_context_switch, . - edo__sys_context_switch

/* First code of a context. Calls r12(r13). The undefined return address ends backtraces here. */
    .type start, @function
    .p2align 4
start:
    .cfi_startproc
    .cfi_undefined %rip
    LANDING
    movq %r13, %rdi
    callq *%r12
    ud2
    .cfi_endproc
    .size start, . - start

/* void *edo__sys_context_make(void *top, void (*entry)(void *), void *arg) */
    .globl edo__sys_context_make
    .hidden edo__sys_context_make
    .type edo__sys_context_make, @function
    .p2align 4
edo__sys_context_make:
    .cfi_startproc
    LANDING
    andq $-16, %rdi
    leaq -80(%rdi), %rax /* the stack pointer of start is aligned, 16 bytes below the top */
    xorl %ecx, %ecx
    movq %rcx, (%rax)
    stmxcsr (%rax)
    fnstcw 4(%rax)
    movq %rcx, 8(%rax)
    movq %rcx, 16(%rax)
    movq %rdx, 24(%rax)
    movq %rsi, 32(%rax)
    movq %rcx, 40(%rax)
    movq %rcx, 48(%rax)
    leaq start(%rip), %rdx
    movq %rdx, 56(%rax)
    movq %rcx, 64(%rax)
    movq %rcx, 72(%rax)
    retq
    .cfi_endproc
    .size edo__sys_context_make, . - edo__sys_context_make

/* bool edo__sys_has_shadow_stack(void)
 * rdsspq does not change the register if there is no shadow stack. */
    .globl edo__sys_has_shadow_stack
    .hidden edo__sys_has_shadow_stack
    .type edo__sys_has_shadow_stack, @function
    .p2align 4
edo__sys_has_shadow_stack:
    .cfi_startproc
    LANDING
    xorl %eax, %eax
    rdsspq %rax
    testq %rax, %rax
    setne %al
    movzbl %al, %eax
    retq
    .cfi_endproc
    .size edo__sys_has_shadow_stack, . - edo__sys_has_shadow_stack

#endif

    .section .note.GNU-stack, "", %progbits
