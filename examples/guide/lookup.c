/* The addresses of a name: lookup example.com:https */
#include <stdio.h>

#include <edo/edo.h>

/* region: lookup */
struct show {
    edo_frame();
    edo_args(const char *name;);
    edo_addresses *found;
};

edo_async(show)
{
    edo_body {
        int rc;
        char text[EDO_ADDRESS_SIZE];
        edo_await_for(rc, edo_s(5), edo_lookup(self->name, &self->found));
        if (rc < 0) edo_return(rc);
        for (size_t i = 0; i < edo_addresses_count(self->found); i++)
            if (edo_addresses_text(self->found, i, text, sizeof text) > 0) puts(text);
        edo_addresses_destroy(self->found);
        edo_return(0);
    }
}
/* end: lookup */

int main(int argc, char **argv)
{
    return edo_run(show, .name = argc > 1 ? argv[1] : "127.0.0.1:8080");
}
