const all = [];
for (;;) all.push(new Array(65536).fill(all.length));
