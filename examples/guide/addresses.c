/* Addresses as values. */
#include <stdio.h>

#include <edo/edo.h>

static void show(const edo_address *address)
{
    char text[EDO_ADDRESS_TEXT_SIZE];
    if (edo_address_format(address, text, sizeof text) > 0) printf("%s\n", text);
}

int main(void)
{
    /* region: values */
    edo_address a, b = edo_address_v4((const uint8_t[]){ 127, 0, 0, 1 }, 8080);
    if (edo_address_parse("[::ffff:127.0.0.1]:53", &a) < 0) return 1;
    if (edo_address_is_v4_mapped(&a)) a = edo_address_unmapped(&a); // an IPv4 peer of [::]
    edo_address_set_port(&a, 8080);
    printf("%s\n", edo_address_equals(&a, &b) ? "equal" : "different");
    /* end: values */
    show(&a);
    if (edo_address_parse("unix:@private", &a) == 0) show(&a);
    return 0;
}
