/* The chip's main on Linux, with stand-ins below it. */
void app_main(void);

int main(void)
{
    app_main();
    return 0;
}
