const report = JSON.parse(JSON.stringify(process.report.getReport()));
console.log(Object.keys(report.environmentVariables).sort().join(' '));
console.log(report.header.host, report.header.networkInterfaces?.length ?? 0);
