process.on('exit', () => {
  for (;;);
});
console.log('exiting');
process.exit(0);
