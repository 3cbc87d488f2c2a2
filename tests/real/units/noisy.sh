# What a service can write to its standard output that is hard to show: escapes, bad UTF-8, markup, a very long line.
printf '<3>\033[31mred alert\033[0m\n'
printf '<3>bad \377 byte\n'
printf '<3>[/] [@click=app.quit]markup[/]\n'
printf '<3>%05000d end of a long line\n' 0
printf '<6>all is well\n'
printf '<4>only a warning\n'
