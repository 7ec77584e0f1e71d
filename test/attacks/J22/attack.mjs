console.log('ending');
process.abort();
